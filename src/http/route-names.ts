/**
 * Routes as the contract writes them, the same with and without `/v1`: what figures are told apart
 * by. Only patterns of our own come here, never a caller's path, so there are few.
 */

const names = new Map<string, string | undefined>()

/** Undefined where there is no such route. */
export function routeName(pattern: string | undefined): string | undefined {
  if (pattern === undefined) return undefined
  if (!names.has(pattern)) names.set(pattern, nameOf(pattern))
  return names.get(pattern)
}

function nameOf(pattern: string): string | undefined {
  const path = pattern.replace(/^\/v1(?=\/|$)/, '').replace(/:(\w+)(\([^)]*\))?/g, '{$1}')
  if (path === '*') return undefined
  return path.startsWith('/docs') ? '/docs' : path.replace(/(?<=.)\/$/, '') || '/'
}
