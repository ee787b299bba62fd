/**
 * The webhook: who may speak, what it does once, and what it can never do. Groups S10-S13; which
 * pages an event makes stale stands in webhook-events.test.ts.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { parseConfig } from '../../src/config.ts'
import { checkProblem, read } from '../support/answers.ts'
import { holds } from '../support/property.ts'
import { converse, dial, listen } from '../support/raw-socket.ts'
import { apiKey, startStack, tokens } from '../support/stack.ts'
import { openSite, type Site, sign, signingKey } from '../support/webhooks.ts'

const body = JSON.stringify({ event: 'chat.new', eventData: {}, id: 'x' })
const good = sign(body)
const unauthenticated = { status: 401, code: 'unauthenticated' }

/** The same JSON as the upstream would send it: whoever reads before checking spells it another way. */
const spaced = '{ "event" : "chat.new", "eventData":{ }, "id":"\\u0078" }'

const forged: Readonly<Record<string, readonly [body: string, signature: string]>> = {
  'an empty signature': [body, ''],
  '39 digits': [body, good.slice(1)],
  '39 digits, of the end': [body, good.slice(0, -1)],
  '41 digits': [body, `${good}0`],
  'upper case': [body, good.toUpperCase()],
  'mixed case': [body, good.replace(/[a-f]/, digit => digit.toUpperCase())],
  'no hex': [body, 'g'.repeat(40)],
  'digits of another script': [body, good.replace(/\d/, '%EF%BC%91')],
  'the algorithm before it': [body, `sha1=${good}`],
  'two in one field': [body, `${good}, ${good}`],
  'a quoted one': [body, `"${good}"`],
  base64: [body, Buffer.from(good, 'hex').toString('base64')],
  'another algorithm': [body, sign(body).padEnd(64, '0')],
  'another key': [body, sign(body, 'another-key')],
  'our key for the upstream': [body, sign(body, apiKey)],
  "a team's token": [body, sign(body, tokens.blue)],
  'the key with white space': [body, sign(body, `${signingKey} `)],
  'the key with a line break': [body, sign(body, `${signingKey}\n`)],
  'an empty key': [body, sign(body, '')],
  'the key as text': [body, signingKey],
  'nothing signed': [body, sign('')],
  'the same JSON in other words': [spaced, sign(JSON.stringify(JSON.parse(spaced)))],
  'a body with more white space': [`${body} `, good],
  'a body with less': [body, sign(`${body}\n`)],
  'all zeros': [body, '0'.repeat(40)]
}

t.test('whoever has no right signature is refused, and nothing happens', async t => {
  const site = await openSite(t)
  await site.get('/chats')
  for (const [name, [text, signature]] of Object.entries(forged)) {
    const answer = await read(site.post(text, { 'x-helpcrunch-signature': signature }))
    const { detail } = checkProblem(t, answer, unauthenticated, name)
    t.notOk(answer.body.includes(good) || detail.includes(signingKey), 'nothing is given away')
    t.equal(await site.isStale('/chats'), false)
  }
  t.equal((await site.post(body)).status, 200, 'its id was not used up by all of these')
  t.equal(await site.isStale('/chats'), true)
})

/** The bytes of a request with these signature fields. */
const rawPost = (text: string, fields: readonly string[], length = Buffer.byteLength(text)) =>
  [
    'POST /webhooks/helpcrunch HTTP/1.1',
    ...['Host: x', 'Connection: close', 'Content-Type: application/json'],
    `Content-Length: ${length}`,
    ...fields,
    '',
    text
  ].join('\r\n')

const signature = (value: string) => `X-HelpCrunch-Signature: ${value}`

t.test('a signature stands in one field, no more and no less', async t => {
  const site = await openSite(t)
  const rows: Record<string, [fields: readonly string[], status: number]> = {
    none: [[], 401],
    two: [[signature(good), signature(good)], 401],
    'a wrong one first': [[signature('0'.repeat(40)), signature(good)], 401],
    'a wrong one last': [[signature(good), signature('0'.repeat(40))], 401],
    'under another name': [[`X-Hub-Signature: ${good}`], 401],
    'a token instead': [[`Authorization: Bearer ${tokens.blue}`], 401],
    one: [[`x-helpcrunch-SIGNATURE: ${good}`], 200],
    'one and a token': [[signature(good), `Authorization: Bearer ${tokens.blue}`], 200],
    'one and a wrong token': [[signature(good), 'Authorization: Bearer wrong'], 200]
  }
  for (const [name, [fields, status]] of Object.entries(rows)) {
    const { answers } = await converse(site.url, rawPost(body, fields))
    t.equal(answers[0]?.status, status, name)
  }
})

t.test('one bit changed in body or signature, and it is refused', async t => {
  const site = await openSite(t)
  const [bits, digits] = [body.length * 8, good.length * 4]
  const property = fc.asyncProperty(fc.nat(bits + digits - 1), async bit => {
    const bytes = Buffer.from(body)
    const mac = Buffer.from(good, 'hex')
    const at = bit < bits ? bit : bit - bits
    const changed = bit < bits ? bytes : mac
    changed[at >> 3] = changed[at >> 3]! ^ (1 << (at & 7))
    const { statusCode } = await site.service.app.inject({
      ...{ method: 'POST', url: '/webhooks/helpcrunch', payload: bytes },
      headers: { 'x-helpcrunch-signature': mac.toString('hex') }
    })
    assert.equal(statusCode, 401)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('the same event has no second effect, whatever its attempt and prefix', async t => {
  const site = await openSite(t)
  await site.get('/chats')
  await site.event('chat.new', {}, 'same')
  t.equal(await site.isStale('/chats'), true)
  t.equal(await site.outcome('/chats'), 'fwd=stale')
  const again = [
    { event: 'chat.new', eventData: {}, id: 'same', attempts: 1 },
    { event: 'chat.new', eventData: {}, id: 'same', attempts: 2 },
    { event: 'message.private', eventData: {}, id: 'same', attempts: 2 }
  ]
  for (const path of ['/webhooks/helpcrunch', '/v1/webhooks/helpcrunch/']) {
    for (const event of again)
      t.equal((await site.post(JSON.stringify(event), {}, path)).status, 200)
  }
  t.equal(await site.isStale('/chats'), false)
})

t.test('an event is not judged by its age', async t => {
  const site = await openSite(t)
  const dates = ['1970-01-01T00:00:00Z', '2999-01-01T00:00:00Z', 'yesterday', -1, null]
  for (const [index, createdAt] of dates.entries()) {
    await site.clock.advance(200_000_000)
    await site.outcome('/chats')
    const event = { event: 'chat.new', eventData: {}, id: `${index}`, createdAt }
    t.equal((await site.post(JSON.stringify(event))).status, 200)
    t.equal(await site.isStale('/chats'), true, `${createdAt}`)
  }
})

t.test('the ids of ten thousand events are remembered, and no more', async t => {
  const site = await openSite(t)
  const send = (id: string) => {
    const payload = JSON.stringify({ event: 'chat.new', eventData: {}, id })
    const headers = { 'x-helpcrunch-signature': sign(payload) }
    return site.service.app.inject({
      method: 'POST',
      url: '/webhooks/helpcrunch',
      payload,
      headers
    })
  }
  await send('first')
  for (let id = 0; id < 10_000; id += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, step) => send(`${id + step}`)))
  }
  const isNews = async (id: string) => {
    await site.clock.advance(200_000_000)
    await site.outcome('/chats')
    await send(id)
    return site.isStale('/chats')
  }
  t.equal(await isNews('9999'), false)
  t.equal(await isNews('1'), false)
  t.equal(await isNews('first'), true, 'the oldest is forgotten')
})

t.test('events without an id, or with no text for one, are new each time', async t => {
  const site = await openSite(t)
  for (const id of [undefined, undefined, null, 7, 7, '', '', {}, ['same'], ['same']]) {
    await site.clock.advance(200_000_000)
    await site.outcome('/chats')
    await site.post(JSON.stringify({ event: 'chat.new', id }))
    t.equal(await site.isStale('/chats'), true, JSON.stringify(id))
  }
})

const junk: Readonly<Record<string, string>> = {
  nothing: '',
  'an array': '[]',
  null: 'null',
  'a text': '"text"',
  'a number': '7',
  'half an object': '{',
  'two objects': '{}{}',
  'a byte order mark': '\ufeff{}',
  NaN: '{"event":NaN}',
  'a trailing comma': '{"event":"chat.new",}',
  'brackets 100,000 deep': '['.repeat(100_000),
  'a form': 'event=chat.new'
}

t.test('a signed body that is no object is 400, in words', async t => {
  const site = await openSite(t)
  await site.get('/chats')
  for (const [name, text] of Object.entries(junk)) {
    checkProblem(t, await read(site.post(text)), { status: 400, code: 'invalid_body' }, name)
  }
  t.equal(await site.isStale('/chats'), false)
})

t.test('but what is not signed is not even read', async t => {
  const site = await openSite(t)
  for (const [name, text] of Object.entries(junk)) {
    const answer = await read(site.post(text, { 'x-helpcrunch-signature': good }))
    checkProblem(t, answer, unauthenticated, name)
  }
})

t.test('whatever stands in a signed object, it is taken, and nothing else is touched', async t => {
  const site = await openSite(t)
  const event = fc.oneof(fc.constantFrom('chat.new', 'chat.closed', 'customer.new'), fc.jsonValue())
  const key = fc.constantFrom('__proto__', 'constructor', 'toString', 'event', 'id', 'chat', 'x')
  const data = fc.oneof(fc.jsonValue(), fc.dictionary(key, fc.jsonValue()), fc.json())
  const property = fc.asyncProperty(event, data, fc.jsonValue(), async (event, eventData, id) => {
    const members = [
      `"event":${JSON.stringify(event)},"eventData":${JSON.stringify(eventData)}`,
      `"id":${JSON.stringify(id)},"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}`
    ]
    const payload = `{${members.join(',')}}`
    const { statusCode } = await site.service.app.inject({
      ...{ method: 'POST', url: '/webhooks/helpcrunch', payload },
      headers: { 'x-helpcrunch-signature': sign(payload) }
    })
    assert.equal(statusCode, 200)
    assert.equal(({} as { polluted?: number }).polluted, undefined)
  })
  await holds(t, property, { numRuns: 300 })
  t.equal((await site.get('/chats?limit=1')).status, 200)
})

const tooLarge = { status: 413, code: 'body_too_large' }

t.test('a body of more than 256 kB is refused before it is read', async t => {
  const site = await openSite(t)
  const bytes = 256 * 1024
  const padded = (length: number) => `{"x":"${'x'.repeat(length - 8)}"}`
  t.equal((await site.post(padded(bytes))).status, 200)
  checkProblem(t, await read(site.post(padded(bytes + 1))), tooLarge)
  const announced = rawPost('{', [signature(good)], 10 * 1024 * 1024)
  const { answers } = await converse(site.url, announced, { answers: 1 })
  t.equal(answers[0]?.status, 413, 'of ten megabytes not one is waited for')
})

t.test('who sends it all the same reads why it was refused', async t => {
  const site = await openSite(t)
  const whole = rawPost(' '.repeat(10_000_000), [signature(good)])
  for (let tries = 0; tries < 10; tries++) {
    const { answers, end } = await converse(site.url, whole)
    t.equal(answers[0]?.status, 413)
    t.equal(end, 'closed')
  }
})

t.test('nor is more taken of a body that does not say how long it is', async t => {
  const site = await openSite(t)
  const head = 'POST /webhooks/helpcrunch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n'
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  const parts = [`${head}${signature(good)}\r\n\r\n`, ...Array.from({ length: 16 }, () => chunk)]
  const { answers } = await converse(site.url, parts, { answers: 1 })
  t.equal(answers[0]?.status, 413)
})

t.test('a body that comes too slowly is 408, and nothing happens', async t => {
  const site = await openSite(t)
  Object.assign(site.service.app.server, { headersTimeout: 200, requestTimeout: 300 })
  await site.get('/chats')
  const socket = await dial(site.url)
  const wire = listen(socket)
  socket.write(rawPost(body, [signature(good)]).slice(0, -5))
  const { answers, end } = await wire
  t.same([answers[0]?.status, end], [408, 'closed'])
  t.equal(await site.isStale('/chats'), false)
})

t.test('whatever its Content-Type, the bytes are what is signed', async t => {
  const site = await openSite(t)
  for (const type of [
    ...['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'],
    'application/json; charset=latin1'
  ]) {
    t.equal((await site.post(body, { 'content-type': type })).status, 200, type)
  }
  const untyped = rawPost(body, [signature(good)]).replace('Content-Type', 'X-Type')
  t.equal((await converse(site.url, untyped)).answers[0]?.status, 200, 'none')
  const junk = await read(site.post(body, { 'content-type': 'junk' }))
  checkProblem(t, junk, { status: 415, code: 'unsupported_media_type' })
})

t.test('a compressed body is signed as it is, and is no JSON', async t => {
  const site = await openSite(t)
  const answer = await read(site.post('\u001f\u008b', { 'content-encoding': 'gzip' }))
  t.ok([400, 415].includes(answer.status), `${answer.status}`)
})

t.test('events in a flood cost one refresh per page that somebody asks for', async t => {
  const site = await openSite(t)
  const pages = ['/chats', '/chats?offset=100', created]
  const ask = () => Promise.all(pages.flatMap(path => [site.outcome(path), site.outcome(path)]))
  await ask()
  await Promise.all(Array.from({ length: 1000 }, () => site.event('chat.new')))
  t.equal(site.simulator.hits(), 3, 'the events themselves cost nothing')
  await ask()
  t.equal(site.simulator.hits(), 6)
})

const created = '/chats?sort=chats.createdAt'

t.test('without a signing key there is no such route', async t => {
  const { url, get } = await startStack(t)
  t.equal((await fetch(`${url}/webhooks/helpcrunch`, { method: 'POST', body })).status, 401)
  t.equal((await get('/webhooks/helpcrunch', { method: 'POST', body })).status, 404)
})

t.test('an empty signing key refuses to start', async t => {
  for (const key of ['', ' ', '\t', ' key', 'key\n', 'two words']) {
    const env = { HELPCRUNCH_API_KEY: apiKey, WEBHOOK_SIGNING_KEY: key }
    t.throws(() => parseConfig(env), /WEBHOOK_SIGNING_KEY/, JSON.stringify(key))
  }
})

t.test('only POST is taken', async t => {
  const site = await openSite(t)
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const init = { method, headers: { 'x-helpcrunch-signature': sign('') } }
    t.equal((await site.get('/webhooks/helpcrunch', init)).status, 405, method)
  }
})

t.test('operators make everything stale with DELETE /cache', async t => {
  const site: Site = await openSite(t)
  await site.get(created)
  const answer = await site.service.admin.inject({ method: 'DELETE', url: '/cache' })
  t.equal(answer.statusCode, 200)
  t.equal(await site.isStale(created), true)
  t.equal(await site.outcome(created), 'fwd=stale')
  const exposed = await startStack(t, { env: { ADMIN_HOST: '0.0.0.0' } })
  t.equal((await exposed.service.admin.inject({ method: 'DELETE', url: '/cache' })).statusCode, 403)
})
