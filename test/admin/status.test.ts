/**
 * The operators' listener: what it tells, and whom it tells it.
 */

import t from 'tap'
import { startStack, tokens } from '../support/stack.ts'

t.test('the status tells what the budget did', async t => {
  const { get, service } = await startStack(t, { env: { UPSTREAM_LIMIT: '3' } })
  for (const offset of [0, 100]) await get(`/chats?offset=${offset}`)
  const { budget, queue } = (await service.admin.inject('/status')).json()
  t.match(budget, { limit: 3, used: 2, maxInAnyWindow: 2, windowSeconds: 60, mode: 'open' })
  t.match(budget, { pausedUntil: null, journalProblem: null })
  t.match(queue, { length: 0, byClass: { interactive: 0, refresh: 0, bulk: 0 } })
})

t.test('the metrics have the same figures', async t => {
  const { get, service } = await startStack(t)
  await get('/chats')
  const { body, headers } = await service.admin.inject('/metrics')
  t.match(headers['content-type'], 'text/plain')
  t.match(body, /^helpcrunch_proxy_budget_max_in_any_window 1$/m)
})

t.test('foreign host names and other sites are refused, IP literals are not', async t => {
  const { service } = await startStack(t, { env: { ADMIN_ALLOWED_HOSTS: 'proxy.example' } })
  const statusFor = async (headers: Record<string, string>) =>
    (await service.admin.inject({ url: '/status', headers })).statusCode
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io']) {
    t.equal(await statusFor({ host }), 403, host)
  }
  for (const host of ['localhost:8081', '127.0.0.1', '[::1]:8081', 'proxy.example']) {
    t.equal(await statusFor({ host }), 200, host)
  }
  t.equal(await statusFor({ host: 'localhost', 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await statusFor({ host: 'localhost', origin: 'https://evil.example' }), 403)
  t.equal(await statusFor({ host: 'localhost', 'sec-fetch-site': 'same-origin' }), 200)
})

t.test('ADMIN_TOKEN is asked for, as bearer or as the password of Basic', async t => {
  const { service } = await startStack(t, { env: { ADMIN_TOKEN: 'operators:secret' } })
  const ask = (authorization?: string) =>
    service.admin.inject({ url: '/status', headers: authorization ? { authorization } : {} })
  const basic = (password: string) => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`
  for (const wrong of [
    undefined,
    'Bearer wrong',
    basic('wrong'),
    `Bearer ${tokens.blue}`,
    'Basic !'
  ]) {
    const answer = await ask(wrong)
    t.equal(answer.statusCode, 401)
    t.match(answer.headers['www-authenticate'], /^Basic/)
  }
  t.equal((await ask('Bearer operators:secret')).statusCode, 200)
  t.equal((await ask(basic('operators:secret'))).statusCode, 200)
})

t.test('what is not there is a problem, and holds nothing of teams', async t => {
  const { service } = await startStack(t)
  const answer = await service.admin.inject('/chats')
  t.equal(answer.statusCode, 404)
  t.match(answer.json(), { code: 'not_found' })
  t.notMatch((await service.admin.inject('/status')).body, /canary/)
})
