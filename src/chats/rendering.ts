/**
 * One answer, ready to be sent: its bytes, their digest, and the same in the content codings that
 * somebody has asked for. A coding is made once, off the request path: whoever asks first gets the
 * plain bytes, and those who come after it is there the small ones.
 */

import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { keep } from '../kept-bytes.ts'

/** Content codings (RFC 9110 section 8.4.1), the one we would rather send first. */
export const codings = ['br', 'gzip'] as const
export type Coding = (typeof codings)[number]

/** Below this a coding saves less than a network packet. */
const worthCodingBytes = 1024

const brotli = promisify(brotliCompress)
const zip = promisify(gzip)

const coders: Record<Coding, (bytes: Buffer) => Promise<Buffer>> = {
  // As small as gzip's best in about its time; the higher levels take ten times as long.
  br: bytes =>
    brotli(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 5,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length
      }
    }),
  gzip: bytes => zip(bytes, { level: 6 })
}

export class Rendering {
  /** JSON in UTF-8. */
  readonly body: Buffer
  /** Chats in the whole list. */
  readonly total: number
  /** Equal for equal bodies, and for no others. */
  readonly digest: string
  /** Most answers are never asked for in a coding. */
  #coded: Map<Coding, Buffer | undefined> | undefined
  readonly #onGrown: () => void

  /** @param onGrown called when a coding was made, which takes memory */
  constructor(body: Buffer, total: number, onGrown: () => void) {
    this.body = body
    this.total = total
    this.digest = createHash('sha256').update(body).digest('base64url').slice(0, 27)
    this.#onGrown = onGrown
  }

  /** Memory held. */
  get bytes(): number {
    let sum = this.body.length
    for (const coded of this.#coded?.values() ?? []) sum += coded?.length ?? 0
    return sum
  }

  /** The body in a coding; undefined if it is not there, yet or at all. */
  coded(coding: Coding): Buffer | undefined {
    return this.#coded?.get(coding)
  }

  /** Has the body made in a coding, once, if that is worth it. */
  prepare(coding: Coding): void {
    if (this.#coded?.has(coding) || this.body.length < worthCodingBytes) return
    // Without it the plain bytes do.
    this.#make(coding).catch(() => {})
  }

  async #make(coding: Coding): Promise<void> {
    const made = this.#coded ?? new Map<Coding, Buffer | undefined>()
    this.#coded = made.set(coding, undefined)
    const bytes = await coders[coding](this.body)
    if (bytes.length >= this.body.length) return
    // zlib's result is a part of a larger buffer.
    made.set(coding, keep([bytes]))
    this.#onGrown()
  }
}
