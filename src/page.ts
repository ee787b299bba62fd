/**
 * Ground floor: a page of a list as bytes and the places where things stand in them. Pages are most
 * of what the service holds in memory, so nothing of them is kept as strings or objects: what is
 * asked for is read from the bytes. A single chat is a page of one without an envelope.
 */

/** How a page stands in its bytes. */
export interface Layout {
  readonly bytes: Buffer
  /** Item `i` is `bytes[spans[2 * i]]` up to, not including, `bytes[spans[2 * i + 1]]`. */
  readonly spans: Uint32Array
  /** The same of each item's id and of its customer's id, one after the other; empty if none. */
  readonly idSpans: Uint32Array
  /** The items stand from `open` up to `close`; what lies outside of them is the envelope. */
  readonly open: number
  readonly close: number
  /** How many items the whole list had. */
  readonly total: number
}

export class Page implements Layout {
  readonly bytes: Buffer
  readonly spans: Uint32Array
  readonly idSpans: Uint32Array
  readonly open: number
  readonly close: number
  readonly total: number

  constructor({ bytes, close, idSpans, open, spans, total }: Layout) {
    this.bytes = bytes
    this.spans = spans
    this.idSpans = idSpans
    this.open = open
    this.close = close
    this.total = total
  }

  /** Items. */
  get count(): number {
    return this.spans.length / 2
  }

  /** There is no such chat: an answer, and for a while the right one. */
  get isAbsent(): boolean {
    return this.bytes.length === 0
  }

  /** Memory that belongs to it. */
  get byteLength(): number {
    return this.bytes.length + this.spans.byteLength + this.idSpans.byteLength
  }

  /** The text of an item's id, which may have more digits than a double holds; empty if none. */
  idAt(index: number): string {
    return this.#text(this.idSpans, 2 * index)
  }

  /** The same of an item's customer. */
  customerAt(index: number): string {
    return this.#text(this.idSpans, 2 * index + 1)
  }

  get ids(): string[] {
    return Array.from({ length: this.count }, (_, index) => this.idAt(index))
  }

  get customers(): string[] {
    return Array.from({ length: this.count }, (_, index) => this.customerAt(index))
  }

  #text(spans: Uint32Array, at: number): string {
    return this.bytes.toString('utf8', spans[2 * at], spans[2 * at + 1])
  }
}

/** The page that says there is no such chat. */
export const absentPage = new Page({
  ...{ bytes: Buffer.alloc(0), spans: new Uint32Array(), idSpans: new Uint32Array() },
  ...{ open: 0, close: 0, total: 0 }
})
