/**
 * To be imported before openapi-typescript runs: it needs the compiler's API, which TypeScript 7 no
 * longer has, so it is given the older one that tap brings. `npx` gives it one by itself.
 */

import { createRequire, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

const fromTap = createRequire(createRequire(import.meta.url).resolve('tap/package.json'))
/** Its main file. */
export const olderTypescript = createRequire(fromTap.resolve('@tapjs/test/package.json')).resolve(
  'typescript'
)

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === 'typescript' ? pathToFileURL(olderTypescript).href : specifier, context)
})
