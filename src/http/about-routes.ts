/**
 * The routes about the service itself, open to everybody: what there is, whether it lives, whether
 * it can answer. They tell nothing about teams, keys or chats.
 */

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { ServiceError } from '../errors.ts'
import { commonHeaders, problemResponses } from './schemas.ts'

export interface AboutOptions {
  /** False from SIGTERM on. */
  readonly ready: () => boolean
}

const directory = {
  service: 'helpcrunch-proxy: a caching proxy for the HelpCrunch chats API',
  routes: {
    chats: '/chats{?sort,order,offset,limit}',
    chat: '/chats/{id}',
    messages: '/chats/{id}/messages{?offset,limit}',
    search: 'POST /chats/search',
    export: '/chats/export{?format,offset,after,end}'
  },
  docs: '/docs',
  openapi: '/openapi.yaml',
  health: { live: '/healthz', ready: '/readyz' }
}

const statusBody = Type.Object({ status: Type.String() })
const anything = Type.Object({}, { additionalProperties: true })

const openToAll = { config: { open: true } }

export const aboutRoutes: FastifyPluginCallbackTypebox<AboutOptions> = (app, { ready }, done) => {
  const naming = {
    ...about('getDirectory', 'Names the routes', anything),
    response: { ...okResponse(anything), ...problemResponses(['overloaded']) }
  }
  app.get('/', { ...openToAll, schema: naming }, () => directory)
  app.get('/healthz', { ...openToAll, schema: about('getHealth', 'Alive', statusBody) }, () => ({
    status: 'ok'
  }))
  const readiness = {
    ...about('getReadiness', 'Able to answer; red while shutting down', statusBody),
    response: { ...okResponse(statusBody), ...problemResponses(['shutting_down']) }
  }
  app.get('/readyz', { ...openToAll, schema: readiness }, () => {
    if (ready()) return { status: 'ready' }
    throw new ServiceError('shutting_down', 'The service is shutting down.')
  })
  done()
}

function about(operationId: string, summary: string, body: typeof anything | typeof statusBody) {
  return { operationId, summary, tags: ['about'], security: [], response: okResponse(body) }
}

function okResponse(body: typeof anything | typeof statusBody) {
  const content = { 'application/json': { schema: body } }
  return { 200: { description: 'OK', headers: commonHeaders, content } }
}
