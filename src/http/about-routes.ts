/**
 * The routes about the service itself, open to everybody: what there is, whether it lives, whether
 * it can answer. They tell nothing about teams, keys or chats.
 */

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { type ErrorCode, ServiceError } from '../errors.ts'
import { commonHeaders, openCodes, problemResponses } from './schemas.ts'

export interface AboutOptions {
  /** False from SIGTERM on. */
  readonly ready: () => boolean
}

/** What `GET /` answers: where to go on from here. */
export const directory = {
  service: 'helpcrunch-proxy: a caching proxy for the HelpCrunch chats API',
  docs: '/docs',
  openapi: '/openapi.yaml',
  health: { live: '/healthz', ready: '/readyz' },
  routes: {
    chats: 'GET /chats{?sort,order,offset,limit}',
    chat: 'GET /chats/{id}',
    messages: 'GET /chats/{id}/messages{?offset,limit}',
    search: 'POST /chats/search',
    export: 'GET /chats/export{?format,offset,after,end}'
  },
  authorization: 'Bearer <token of your team>, on those routes',
  prefix: 'All of it also under /v1, where HelpCrunch clients look for it'
}

const statusBody = Type.Object({ status: Type.String() })
const anything = Type.Object({}, { additionalProperties: true })

const jsonType = 'application/json; charset=utf-8'

const openToAll = { config: { open: true } }

export const aboutRoutes: FastifyPluginCallbackTypebox<AboutOptions> = (app, { ready }, done) => {
  const naming = about('getDirectory', 'Names routes, docs and health', anything, ['overloaded'])
  app.get('/', { ...openToAll, schema: naming }, (_, reply) =>
    // Whoever reads this reads it in a terminal.
    reply.type(jsonType).send(`${JSON.stringify(directory, undefined, 2)}
`)
  )
  app.get('/healthz', { ...openToAll, schema: about('getHealth', 'Alive', statusBody) }, () => ({
    status: 'ok'
  }))
  const readiness = about('getReadiness', 'Able to answer; red while shutting down', statusBody)
  app.get('/readyz', { ...openToAll, schema: readiness }, () => {
    if (ready()) return { status: 'ready' }
    throw new ServiceError('shutting_down', 'The service is shutting down.')
  })
  done()
}

function about(
  operationId: string,
  summary: string,
  body: typeof anything | typeof statusBody,
  codes: readonly ErrorCode[] = []
) {
  const content = { 'application/json': { schema: body } }
  const response = {
    200: { description: 'OK', headers: commonHeaders, content },
    ...problemResponses([...openCodes, ...codes])
  }
  return { operationId, summary, tags: ['about'], security: [], response }
}
