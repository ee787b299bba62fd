/**
 * The two pages as bytes, in every content coding, and the answer to a request for one of them as
 * the cheapest of servers picks it: by its path and two headers, everything prepared.
 */

import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

interface Answer {
  readonly status: 200 | 304
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Buffer | undefined
}

/** By path, and then by coding: `identity`, `br` and `gzip`. */
export type Pages = ReadonlyMap<string, Page>

interface Page {
  readonly tag: string
  readonly notModified: Answer
  readonly coded: Readonly<Record<string, Answer>>
}

export function pagesOf(bodies: Readonly<Record<string, Buffer>>): Pages {
  return new Map(Object.entries(bodies).map(([path, body]) => [path, pageOf(body)]))
}

function pageOf(body: Buffer): Page {
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  const answer = (coding: string, bytes: Buffer): Answer => ({
    status: 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': bytes.length,
      etag: tag,
      vary: 'Accept-Encoding',
      ...(coding !== 'identity' && { 'content-encoding': coding })
    },
    body: bytes
  })
  const br = brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
  return {
    tag,
    notModified: { status: 304, headers: { etag: tag, vary: 'Accept-Encoding' }, body: undefined },
    coded: {
      identity: answer('identity', body),
      br: answer('br', br),
      gzip: answer('gzip', gzipSync(body, { level: 6 }))
    }
  }
}

/** @param path one of those there are */
export function answerOf(pages: Pages, path: string, headers: IncomingHttpHeaders): Answer {
  const page = pages.get(path)!
  if (headers['if-none-match'] === page.tag) return page.notModified
  return page.coded[(headers['accept-encoding'] as string) ?? 'identity'] ?? page.coded.identity!
}
