/**
 * The faults that change what is answered, not how it travels: each is a function from the correct
 * answer to the wrong one.
 */

import { gzipSync } from 'node:zlib'
import { type Answer, type Headers, json } from './answer.ts'

export interface DistortionShapes {
  /** Any status; the body is an error in the upstream's shape unless given. */
  status: { readonly status: number; readonly headers?: Headers; readonly body?: string }
  /** What a proxy in front of the upstream answers: text/html, under a 200 by default. */
  html: { readonly status?: number }
  empty200: object
  invalidJson: object
  /** A 200 with this body: for wrong shapes. */
  body: { readonly body: string | Buffer; readonly headers?: Headers }
  /** The correct answer with further or other headers. */
  headers: { readonly headers: Headers }
  redirect: { readonly to: string; readonly status?: number }
  /** Correctly compressed. */
  gzip: object
  /** Announced and begun as gzip, with damage in the second half. */
  corruptGzip: object
  /** The plain body under a Content-Encoding that says otherwise. */
  unknownEncoding: { readonly encoding?: string }
}

type Distortions = {
  readonly [K in keyof DistortionShapes]: (fault: DistortionShapes[K], answer: Answer) => Answer
}

const htmlPage =
  '<!doctype html><title>Oops</title><script>alert("upstream")</script><h1>Bad Gateway</h1>'
const errorBody = '{"errors":[{"code":"simulated_fault","message":"Simulated fault"}]}'

export const distortions: Distortions = {
  status: ({ status, headers = {}, body = errorBody }) => withHeaders(json(status, body), headers),
  html: ({ status = 200 }) => withHeaders(json(status, htmlPage), { 'content-type': 'text/html' }),
  empty200: () => json(200, ''),
  invalidJson: (_, answer) => ({ ...answer, body: Buffer.from(`${answer.body},`) }),
  body: ({ body, headers = {} }) =>
    withHeaders({ ...json(200, ''), body: Buffer.from(body) }, headers),
  headers: ({ headers }, answer) => withHeaders(answer, headers),
  redirect: ({ to, status = 302 }) => withHeaders(json(status, ''), { location: to }),
  gzip: (_, answer) => encoded(answer, 'gzip', gzipSync(answer.body)),
  corruptGzip: (_, answer) => encoded(answer, 'gzip', damaged(gzipSync(answer.body))),
  unknownEncoding: ({ encoding = 'rot13' }, answer) => encoded(answer, encoding, answer.body)
}

/** In lower case, so that each replaces the one of its name however the test spells it. */
function withHeaders(answer: Answer, headers: Headers): Answer {
  const further = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  return { ...answer, headers: { ...answer.headers, ...Object.fromEntries(further) } }
}

function encoded(answer: Answer, encoding: string, body: Buffer): Answer {
  return { ...withHeaders(answer, { 'content-encoding': encoding }), body }
}

function damaged(bytes: Buffer): Buffer {
  const half = bytes.length >> 1
  return Buffer.from(bytes.map((byte, index) => (index < half ? byte : byte ^ 0x5a)))
}
