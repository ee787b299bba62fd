/**
 * The files of the status page, read at start into a fixed table of paths. What is not in the table
 * does not exist, so no spelling of a path can lead out of it; and a page never gets files of
 * another version than the service that serves it.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

const folder = new URL('page/', import.meta.url)

/** Where the page finds the plots' library. */
const libraries: Record<string, string> = {
  '/page/uplot/uPlot.esm.js': 'uplot/dist/uPlot.esm.js',
  '/page/uplot/uPlot.min.css': 'uplot/dist/uPlot.min.css'
}

/** Only from here, no markup made of text, no inline script or style, in nobody's frame. */
export const contentPolicy =
  "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; " +
  "frame-ancestors 'none'; img-src 'self'; script-src 'self'; style-src 'self'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'"

/** `GET /` and all that the page loads. */
export function pageRoutes(app: FastifyInstance): void {
  for (const [path, url] of pageFiles()) {
    const type = types[extname(url.pathname)]
    if (type === undefined) continue
    const bytes = readFileSync(url)
    app.get(path, (_, reply) => reply.type(type).send(bytes))
  }
}

function pageFiles(): Map<string, URL> {
  const files = new Map([['/', new URL('index.html', folder)]])
  for (const name of readdirSync(fileURLToPath(folder))) {
    files.set(`/page/${name}`, new URL(name, folder))
  }
  for (const [path, specifier] of Object.entries(libraries)) {
    files.set(path, new URL(import.meta.resolve(specifier)))
  }
  return files
}
