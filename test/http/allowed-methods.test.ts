/** 404 or 405, worked out from the patterns of the routes as the router understands them. */

import { fastify } from 'fastify'
import t from 'tap'
import { allowedMethods, methodTable } from '../../src/http/allowed-methods.ts'

const routes: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/'],
  ['GET', '/things'],
  ['POST', '/things/search'],
  ['GET', '/things/:id(^\\d{1,3}$)'],
  ['DELETE', '/things/:id(^\\d{1,3}$)/parts'],
  ['GET', '/kinds/:kind(^big|small$)/things'],
  ['PUT', '/names/:name'],
  ['POST', '/names/first'],
  ['GET', '/files/*'],
  ['GET', '/a.b']
]

/** What is said of a request that no route takes: its code, and the methods that are allowed. */
async function judge(method: string, path: string): Promise<string> {
  const app = fastify({ routerOptions: { ignoreTrailingSlash: true } })
  const table = methodTable(app)
  for (const [method, url] of routes) app.route({ method, url, handler: async () => 'taken' })
  app.setNotFoundHandler((request, reply) => {
    const { code } = allowedMethods(table, request, reply)
    return reply.send([code, reply.getHeader('allow') ?? ''].join(' ').trim())
  })
  const { body } = await app.inject({ method: method as 'GET', url: path })
  await app.close()
  return body
}

const rows: Record<string, string> = {
  'GET /things': 'taken',
  'HEAD /things': '',
  'POST /things': 'method_not_allowed GET, HEAD',
  'POST /things/': 'method_not_allowed GET, HEAD',
  'GET /things?x=/things/search': 'taken',
  'PUT /things?x=1': 'method_not_allowed GET, HEAD',
  'DELETE /': 'method_not_allowed GET, HEAD',
  'GET /things/12': 'taken',
  'POST /things/12': 'method_not_allowed GET, HEAD',
  'POST /things/12/': 'method_not_allowed GET, HEAD',
  'POST /things/1234': 'not_found',
  'POST /things/x': 'not_found',
  'POST /things/1x': 'not_found',
  'GET /things/search': 'method_not_allowed POST',
  'GET /things/searching': 'not_found',
  'GET /things/12/parts': 'method_not_allowed DELETE',
  'GET /things/x/parts': 'not_found',
  'DELETE /things/12/parts/1': 'not_found',
  'GET /kinds/big/things': 'taken',
  'POST /kinds/big/things': 'method_not_allowed GET, HEAD',
  'POST /kinds/small/things': 'method_not_allowed GET, HEAD',
  'POST /kinds/big': 'not_found',
  'POST /small/things': 'not_found',
  'POST /kinds/middling/things': 'not_found',
  'GET /names/second': 'method_not_allowed PUT',
  'GET /names/first': 'method_not_allowed POST, PUT',
  'GET /names/': 'not_found',
  'POST /files/a/b': 'method_not_allowed GET, HEAD',
  'POST /a.b': 'method_not_allowed GET, HEAD',
  'POST /axb': 'not_found',
  'GET /nowhere': 'not_found'
}

for (const [request, wanted] of Object.entries(rows)) {
  t.test(`${request} is ${wanted || 'taken, without a body'}`, async t => {
    const [method = '', path = ''] = request.split(' ')
    t.equal(await judge(method, path), wanted)
  })
}
