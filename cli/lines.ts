/** Cuts bytes that come in pieces into lines. */

const newline = 0x0a

export class Lines {
  #rest: Buffer = Buffer.alloc(0)

  /** The bytes after the last whole line. */
  get rest(): Buffer {
    return this.#rest
  }

  /** The lines that are whole now, without their ends. */
  push(piece: Buffer): Buffer[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece
    const lines: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      lines.push(bytes.subarray(start, end))
      start = end + 1
    }
    this.#rest = bytes.subarray(start)
    return lines
  }
}
