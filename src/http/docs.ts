/**
 * The contract as OpenAPI 3.1, generated from the routes' schemas, and a page to read and try it.
 * Everything is served from here; nothing is loaded from elsewhere. `npm run openapi` writes the
 * same text to `openapi.yaml`.
 */

import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { FastifyError, FastifyInstance } from 'fastify'
import about from '../../package.json' with { type: 'json' }
import { ServiceError } from '../errors.ts'
import { anchorScript, introduction } from './docs-text.ts'
import { finished } from './openapi-document.ts'

const openapi = {
  openapi: '3.1.0',
  info: {
    title: 'helpcrunch-proxy',
    version: about.version,
    license: { name: 'All rights reserved', identifier: 'LicenseRef-Unlicensed' },
    description: introduction
  },
  servers: [{ url: '/' }, { url: '/v1', description: 'For HelpCrunch clients.' }],
  tags: [
    { name: 'chats', description: 'What HelpCrunch knows, cached.' },
    { name: 'webhooks', description: 'What HelpCrunch tells.' },
    { name: 'about', description: 'This service.' }
  ],
  components: {
    securitySchemes: {
      team: { type: 'http' as const, scheme: 'bearer', description: "Your team's token." }
    }
  },
  security: [{ team: [] }]
}

/** Everything from here; the page draws its icons from data URLs and styles itself inline. */
const contentPolicy =
  "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'none'; " +
  "frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'"

/** Has to be registered before the routes that it describes. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi,
    transformObject: given =>
      'openapiObject' in given ? finished(given.openapiObject) : given.swaggerObject,
    // The same routes under /v1 are the second server, not further paths.
    transform: ({ schema, url }) => ({
      schema: { ...schema, hide: schema?.hide || url.startsWith('/v1') },
      url
    })
  })
}

/** Paths that lead out of the page's files, or that no file can have. */
const notFoundCodes = new Set(['FST_STATIC_FORBIDDEN_PATH', 'ENAMETOOLONG'])

/** `GET /openapi.yaml` and `GET /docs`, open to everybody. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  app.addHook('onRoute', route => {
    route.config = { ...route.config, open: true }
  })
  app.setErrorHandler((error: FastifyError) => {
    throw notFoundCodes.has(error.code)
      ? new ServiceError('not_found', 'There is no such file.', { cause: error })
      : error
  })
  app.get('/openapi.yaml', { schema: { hide: true } }, (_, reply) =>
    reply.type('application/yaml; charset=utf-8').send(app.swagger({ yaml: true }))
  )
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: contentPolicy,
    // No badge of an outside validator.
    uiConfig: {
      layout: 'BaseLayout',
      docExpansion: 'list',
      // What follows the # of an address is the code of an error; see anchorScript.
      deepLinking: false,
      tryItOutEnabled: true,
      displayRequestDuration: true,
      validatorUrl: null
    },
    theme: { title: 'helpcrunch-proxy', js: [{ filename: 'anchors.js', content: anchorScript }] }
  })
}
