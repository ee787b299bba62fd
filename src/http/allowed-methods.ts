/**
 * 404 or 405, and for whom? Fastify knows only the first, so all routes are noted by path as they
 * are added, and a request that no route takes is held against them.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { ServiceError } from '../errors.ts'

interface KnownPath {
  readonly pattern: RegExp
  readonly methods: Set<string>
  /** Those of its routes; hooks that come later may still change them. */
  readonly route: RouteOptions
}

export type MethodTable = Map<string, KnownPath>

/** Filled as routes are added; has to be made before them. */
export function methodTable(app: FastifyInstance): MethodTable {
  const table: MethodTable = new Map()
  app.addHook('onRoute', route => {
    const { url, method } = route
    // The wildcard of CORS preflights takes every path and says nothing about any.
    if (url === '*') return
    const known = table.get(url) ?? { pattern: patternOf(url), methods: new Set<string>(), route }
    for (const one of [method].flat()) known.methods.add(one)
    table.set(url, known)
  })
  return table
}

/** @param allow the methods that would be taken */
export function wrongMethod(allow: string): ServiceError {
  return new ServiceError('method_not_allowed', `This route takes ${allow}; /docs describes it.`)
}

/** The error for a request that no route takes; sets `Allow` where others would be taken. */
export function allowedMethods(table: MethodTable, request: FastifyRequest, reply: FastifyReply) {
  const allow = otherMethods(table, request)
  if (allow === undefined) return noRoute()
  reply.header('allow', allow)
  return wrongMethod(allow)
}

/** The methods that would be taken instead, as `Allow` says them; undefined if that is not why. */
export function otherMethods(table: MethodTable, request: FastifyRequest): string | undefined {
  const known = pathsOf(table, request)
  // A route that takes the method and still ends here has looked and found nothing.
  if (known.length === 0 || known.some(({ methods }) => methods.has(request.method))) {
    return undefined
  }
  return [...new Set(known.flatMap(({ methods }) => [...methods]))].sort().join(', ')
}

/** Whether the path, with another method, asks for no token. */
export function isOpenPath(table: MethodTable, request: FastifyRequest): boolean {
  const known = pathsOf(table, request)
  return known.length > 0 && known.every(({ route }) => route.config?.open === true)
}

function pathsOf(table: MethodTable, { raw }: FastifyRequest): KnownPath[] {
  const path = (raw.url ?? '').split('?', 1)[0] ?? ''
  return [...table.values()].filter(({ pattern }) => pattern.test(path))
}

/** What is said of a path that no route has. */
export function noRoute(): ServiceError {
  return new ServiceError('not_found', 'There is no such route; GET / names those there are.')
}

/** A trailing slash is accepted, as in the router. */
function patternOf(url: string): RegExp {
  const segments = url.replace(/\/$/, '').split('/').map(sourceOf)
  return new RegExp(`^${segments.join('/')}/?$`)
}

/** `:name` takes one segment, `:name(^pattern$)` one of that pattern, `*` the rest. */
function sourceOf(segment: string): string {
  if (segment === '*') return '.*'
  if (!segment.startsWith(':')) return segment.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  const pattern = /\(\^(.*)\$\)$/.exec(segment)?.[1]
  return pattern === undefined ? '[^/]+' : `(?:${pattern})`
}
