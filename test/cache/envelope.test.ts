/** Pages as bytes in the shared store: what was sealed comes back, and nothing else is a page. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Envelopes, readHead, type SharedPage } from '../../src/cache/envelope.ts'
import { absentPage } from '../../src/page.ts'
import { chatTexts, pageOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const envelopes = new Envelopes('a-key')
const head = { requestedAt: 1_795_388_400_123, token: 7, era: 'abcdefgh01234567' }

const sharedOf = (count: number): SharedPage => ({
  page: count === 0 ? absentPage : pageOf(chatTexts(count), 435),
  requestedAt: 1_795_388_400_123.25,
  storedAt: 1_795_388_400_200.5,
  freshUntil: 1_795_388_430_000,
  revalidateUntil: 1_795_388_490_000,
  errorUntil: 1_795_474_830_000,
  periodMs: 30_000,
  refreshAt: 1_795_388_430_000
})

t.test('a page comes back as it was, with its instants', async t => {
  const property = fc.asyncProperty(fc.nat(100), fc.string(), async (count, key) => {
    const shared = sharedOf(count)
    const bytes = await envelopes.seal(key, head, shared)
    assert.deepEqual(readHead(bytes), head)
    assert.deepEqual(await envelopes.unseal(key, bytes), shared)
  })
  await holds(t, property)
})

t.test('a page of which a byte was changed, lost or added is none', async t => {
  const key = '/chats?offset=0&limit=100'
  const bytes = await envelopes.seal(key, head, sharedOf(5))
  const damage = fc.oneof(
    fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
      const changed = Buffer.from(bytes)
      changed[at] = changed[at]! ^ by
      return changed
    }),
    fc.nat(bytes.length - 1).map(length => bytes.subarray(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map(more => Buffer.concat([bytes, more])),
    fc.uint8Array({ maxLength: 300 }).map(any => Buffer.from(any))
  )
  const property = fc.asyncProperty(damage, async damaged => {
    assert.equal(await envelopes.unseal(key, damaged), undefined)
  })
  await holds(t, property, { numRuns: 500 })
})

t.test('a page of one key is none under another', async t => {
  const bytes = await envelopes.seal('one', head, sharedOf(3))
  t.ok(await envelopes.unseal('one', bytes))
  t.equal(await envelopes.unseal('other', bytes), undefined)
})

t.test('a page in memory of its own does not keep what it came in', async t => {
  const bytes = await envelopes.seal('key', head, sharedOf(100))
  const shared = await envelopes.unseal('key', bytes)
  t.equal(shared?.page.bytes.buffer.byteLength, shared?.page.bytes.length)
})

t.test('nothing of a page can be read or written by who does not know the secret', async t => {
  const shared = sharedOf(20)
  const bytes = await envelopes.seal('key', head, shared)
  t.notOk(bytes.includes('160754'))
  const others = new Envelopes('another-key')
  t.equal(await others.unseal('key', bytes), undefined)
  t.equal(await envelopes.unseal('key', await others.seal('key', head, shared)), undefined)
})
