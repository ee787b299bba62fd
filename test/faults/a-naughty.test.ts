/**
 * Group A, second part (A8): naughty texts in every input there is. Each is answered within the
 * promised five seconds, and by 2xx, 304 or 4xx; errors in the one envelope.
 */

import fc from 'fast-check'
import t from 'tap'
import { holds } from '../support/property.ts'
import { naughty } from './naughty.ts'
import { event, get, post, requestOf, strangerOf } from './requests.ts'
import { checkAnyProblem, only, runRows, type Sent } from './runner.ts'
import { startService } from './service-process.ts'

/** As bytes in latin1, so that each is one on the wire. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1')
const escaped = (text: string) => encodeURIComponent(text.toWellFormed())
/** What would end the request line is for group C. */
const inTarget = (text: string) =>
  utf8(text)
    .replaceAll(/[\r\n ]/g, '_')
    .slice(0, 7_000)
const inField = (text: string) =>
  utf8(text)
    .replaceAll(/[\r\n]/g, '_')
    .slice(0, 7_000)

const fields = [
  ...['Authorization-2', 'Accept', 'Accept-Encoding', 'If-None-Match', 'Cache-Control', 'Prefer'],
  ...[
    'Origin',
    'X-Request-Id',
    'traceparent',
    'tracestate',
    'User-Agent',
    'Content-Type',
    'Cookie'
  ],
  ...['X-Forwarded-For', 'Forwarded', 'Range', 'If-Modified-Since', 'Via', 'Accept-Language', 'TE']
]
const parameters = ['limit', 'offset', 'sort', 'order', 'filter', '']

const search = (text: string, value: unknown) =>
  post('/chats/search', { name: text, type: 'application/json', body: json(value) })
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

type Place = (text: string) => Sent

const places: readonly Place[] = [
  ...parameters.flatMap((name): Place[] => [
    text => get(`/chats?${name}=${escaped(text)}`),
    text => get(`/chats?${name}=${inTarget(text)}`)
  ]),
  text => get(`/chats?${escaped(text)}=1`),
  text => get(`/chats?${inTarget(text)}`),
  text => get(`/${escaped(text)}`),
  text => get(`/${inTarget(text)}`),
  text => get(`/v1/chats/x${inTarget(text)}`),
  text => get(`/chats/x${escaped(text)}/messages`),
  text => get(`/chats/100001/messages?limit=x${escaped(text)}`),
  text => get(`/chats/export?format=${escaped(text)}`),
  text => get(`/docs/${inTarget(text)}`),
  text => strangerOf('/chats', `Authorization: Bearer ${inField(text)}\r\n`),
  text => strangerOf('/chats', `Authorization: ${inField(text)}\r\n`),
  ...fields.map(
    (name): Place =>
      text =>
        get('/chats?limit=3', `${name}: ${inField(text)}\r\n`)
  ),
  text => get('/nowhere', `X-${escaped(text).replaceAll(/[()%]/g, '')}: 1\r\n`),
  text => requestOf('DELETE', `/chats/${escaped(text)}`),
  text => post('/chats/search', { name: text, body: Buffer.from(text) }),
  text => search(text, { filter: [{ field: text, operator: '=', value: 1 }] }),
  text => search(text, { filter: [{ field: 'chats.status', operator: text, value: text }] }),
  text => search(text, { [text]: text }),
  text => search(text, { sort: text, order: text, limit: text, offset: text, comparison: text }),
  text => event(text, text),
  text => event(text, JSON.stringify({ event: text, id: text, eventData: text, [text]: text })),
  text => event(text, JSON.stringify({ event: 'chat.new', eventData: { chat_id: text } })),
  text => event(text, '{}', `X-HelpCrunch-Signature: ${inField(text)}\r\n`)
]

const promisedMs = 5_000

const service = await startService(t)

runRows(t, service, [
  {
    row: 'A8',
    priority: 2,
    case: 'naughty texts in every input',
    calls: 'some',
    play: async (t, service) => {
      const met = new Set<number>()
      const sendTo = async (place: Place, text: string) => {
        const { name: told, bytes, manner } = place(text)
        // In TAP, a name is not only text.
        const name = told.slice(0, 100).replaceAll(/[^\x20-\x7e]|#/g, '?')
        const started = performance.now()
        const heard = await service.send(bytes, manner)
        t.ok(performance.now() - started < promisedMs, 'in time')
        const answer = only(t, heard, name)
        checkAnyProblem(t, answer, name)
        met.add(answer.status)
        return answer.status
      }
      const texts = fc.array(naughty, { minLength: places.length, maxLength: places.length })
      const tame = fc.asyncProperty(texts, async texts => {
        const sent = places.map((place, index) => sendTo(place, texts[index] ?? ''))
        return (await Promise.all(sent)).every(status => status < 500)
      })
      await holds(t, tame, { numRuns: 10 })
      for (const status of [200, 400, 401, 404]) t.ok(met.has(status), `${status} was met`)
    }
  }
])

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
