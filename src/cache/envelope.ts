/**
 * A stored page as bytes in the store that replicas share:
 *
 *   head    text of fixed length, which scripts compare: format, when it was asked for, the token of
 *           the flight that brought it, the era of the store's clock in which these are meant
 *   nonce   random
 *   body    zstd, then AES-256-GCM: lengths, what is known of the page, its spans, its bytes
 *   tag     of key, head and body
 *
 * Whatever is not exactly that is not a page: another version, half of one, one of another key, one
 * that somebody else wrote. And a store that writes what it has to its disk writes no chat.
 * Compressed at zstd's level 1, 100 chats of 74 kB take 12 kB of the store and 0.3 ms; gzip saves
 * no more for thrice the time.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { Page } from '../page.ts'

/** A page and its instants, in milliseconds of the store's clock, and for the rest of spans of time. */
export interface SharedPage {
  readonly page: Page
  readonly requestedAt: number
  readonly storedAt: number
  readonly freshUntil: number
  readonly revalidateUntil: number
  readonly errorUntil: number
  readonly periodMs: number
  readonly refreshAt: number
}

export interface Head {
  readonly requestedAt: number
  readonly token: number
  /** 16 characters. */
  readonly era: string
}

const format = 'hcp1'
const digits = 16
const eraLength = 16
export const headLength = format.length + 2 * digits + eraLength
const nonceLength = 12
const tagLength = 16
const cipher = 'aes-256-gcm'

/** Nothing that was compressed from more than this is unpacked. */
const mostBytes = 64 * 1024 * 1024

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const quickly = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export function writeHead({ era, requestedAt, token }: Head): string {
  const number = (value: number) => String(Math.max(Math.floor(value), 0)).padStart(digits, '0')
  return `${format}${number(requestedAt)}${number(token)}${era}`
}

/** Undefined if it is not one. */
export function readHead(bytes: Buffer): Head | undefined {
  const text = bytes.toString('latin1', 0, headLength)
  const [, requestedAt, token, era] = /^hcp1(\d{16})(\d{16})(.{16})$/.exec(text) ?? []
  if (era === undefined) return undefined
  return { requestedAt: Number(requestedAt), token: Number(token), era }
}

export class Envelopes {
  readonly #secret: Buffer

  /** @param secret that all replicas have, and nobody else */
  constructor(secret: string) {
    this.#secret = Buffer.from(hkdfSync('sha256', secret, '', 'helpcrunch-proxy pages', 32))
  }

  async seal(key: string, head: Head, shared: SharedPage): Promise<Buffer> {
    const text = Buffer.from(writeHead(head))
    const nonce = randomBytes(nonceLength)
    const body = await compress(packed(shared), quickly)
    const sealing = createCipheriv(cipher, this.#secret, nonce).setAAD(labelOf(key, text))
    const sealed = [sealing.update(body), sealing.final()]
    return Buffer.concat([text, nonce, ...sealed, sealing.getAuthTag()])
  }

  /** Undefined if it is anything but a page that was sealed for this key. */
  async unseal(key: string, bytes: Buffer): Promise<SharedPage | undefined> {
    const end = bytes.length - tagLength
    const start = headLength + nonceLength
    if (end < start || !readHead(bytes)) return undefined
    const opening = createDecipheriv(cipher, this.#secret, bytes.subarray(headLength, start))
    opening.setAAD(labelOf(key, bytes.subarray(0, headLength))).setAuthTag(bytes.subarray(end))
    try {
      const body = Buffer.concat([opening.update(bytes.subarray(start, end)), opening.final()])
      return unpacked(await decompress(body, { maxOutputLength: mostBytes }))
    } catch {
      return undefined
    }
  }
}

function packed({ page, ...instants }: SharedPage): Buffer {
  const { bytes, close, idSpans, open, spans, total } = page
  const about = Buffer.from(
    JSON.stringify({ ...instants, open, close, total, spans: spans.length, ids: idSpans.length })
  )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(about.length)
  return Buffer.concat([length, about, wordsOf(spans), wordsOf(idSpans), bytes])
}

function unpacked(plain: Buffer): SharedPage {
  const aboutEnd = 4 + plain.readUInt32LE(0)
  const about = JSON.parse(plain.toString('utf8', 4, aboutEnd))
  const spansEnd = aboutEnd + 4 * about.spans
  const idsEnd = spansEnd + 4 * about.ids
  // In memory of its own: a slice would keep the whole alive.
  const bytes = Buffer.allocUnsafeSlow(plain.length - idsEnd)
  plain.copy(bytes, 0, idsEnd)
  const page = new Page({
    ...{ bytes, open: about.open, close: about.close, total: about.total },
    spans: wordsIn(plain, aboutEnd, spansEnd),
    idSpans: wordsIn(plain, spansEnd, idsEnd)
  })
  const { errorUntil, freshUntil, periodMs, refreshAt, requestedAt, revalidateUntil, storedAt } =
    about
  return {
    ...{ page, requestedAt, storedAt, freshUntil, revalidateUntil, errorUntil },
    ...{ periodMs, refreshAt }
  }
}

/** Little-endian, whatever the machine. */
function wordsOf(words: Uint32Array): Buffer {
  const bytes = Buffer.alloc(4 * words.length)
  words.forEach((word, index) => {
    bytes.writeUInt32LE(word, 4 * index)
  })
  return bytes
}

function wordsIn(bytes: Buffer, start: number, end: number): Uint32Array {
  return Uint32Array.from({ length: (end - start) / 4 }, (_, at) =>
    bytes.readUInt32LE(start + 4 * at)
  )
}

/** What is not hidden and must be right all the same. */
function labelOf(key: string, head: Buffer): Buffer {
  return Buffer.concat([head, Buffer.from(key)])
}
