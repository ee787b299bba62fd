/** How far an exchange got, whatever order undici calls it in. */

import t from 'tap'
import type { Dispatcher } from 'undici'
import { Exchange, TimeoutError, TooLargeError } from '../../src/upstream/exchange.ts'

class Controller implements Dispatcher.DispatchController {
  reason: Error | null = null
  readonly paused = false

  get aborted(): boolean {
    return this.reason !== null
  }

  abort(reason: Error): void {
    this.reason = reason
  }

  pause(): void {}

  resume(): void {}
}

const exchangeOf = (isTooLate = () => false) => ({
  exchange: new Exchange({ maxBytes: 10, isTooLate }),
  controller: new Controller()
})

t.test('a response is whole when it ends, and its parts are joined', async t => {
  const { exchange, controller } = exchangeOf()
  t.equal(exchange.contact, 'unsent')
  exchange.onRequestStart(controller)
  t.equal(exchange.contact, 'unanswered')
  exchange.onResponseStart(controller, 200, { 'x-a': 'b' })
  t.equal(exchange.contact, 'answered')
  for (const part of ['12345', '67890']) exchange.onResponseData(controller, Buffer.from(part))
  exchange.onResponseEnd()
  const { status, headers, body } = await exchange.response
  t.same([status, headers, body.toString()], [200, { 'x-a': 'b' }, '1234567890'])
})

t.test('one byte too many ends it at once', async t => {
  const { exchange, controller } = exchangeOf()
  exchange.onRequestStart(controller)
  exchange.onResponseStart(controller, 200, {})
  exchange.onResponseData(controller, Buffer.alloc(11))
  await t.rejects(exchange.response)
  t.ok(controller.reason instanceof TooLargeError)
})

t.test('what gets its connection after its time is never sent', async t => {
  const { exchange, controller } = exchangeOf(() => true)
  exchange.onRequestStart(controller)
  await t.rejects(exchange.response)
  t.ok(controller.reason instanceof TimeoutError)
  t.equal(exchange.contact, 'unsent')
})

t.test('what is given up while it waits for a connection is never sent', async t => {
  const { exchange, controller } = exchangeOf()
  const reason = new Error('too late')
  exchange.abort(reason)
  await t.rejects(exchange.response, reason)
  exchange.onRequestStart(controller)
  t.equal(controller.reason, reason)
  t.equal(exchange.contact, 'unsent')
})

t.test('what was sent once is not sent again behind the back of the ledger', async t => {
  const { exchange, controller } = exchangeOf()
  exchange.onRequestStart(controller)
  const again = new Controller()
  exchange.onRequestStart(again)
  t.ok(again.aborted)
  await t.rejects(exchange.response, /the connection was lost/)
  t.equal(exchange.contact, 'unanswered')
})

t.test('an interim response ends it, and does not say that the call was seen', async t => {
  const { exchange, controller } = exchangeOf()
  exchange.onRequestStart(controller)
  exchange.onResponseStart(controller, 103, { link: '</x>' })
  await t.rejects(exchange.response, /a 103 came first/)
  t.ok(controller.aborted)
  t.equal(exchange.contact, 'unanswered')
})

t.test('an answer is none if its connection has said more by the time it is read', async t => {
  for (const saidMore of [true, false]) {
    const { exchange, controller } = exchangeOf()
    const line = { saidMore: false }
    exchange.line = line
    exchange.onRequestStart(controller)
    exchange.onResponseStart(controller, 200, {})
    exchange.onResponseEnd()
    line.saidMore = saidMore
    if (saidMore) await t.rejects(exchange.response, /more after the answer/)
    else t.equal((await exchange.response).status, 200)
  }
})
