/**
 * Ground floor: memory for bytes that are kept for long, pages and answers. The C library's heap
 * seldom gives back what was freed between other things, so a cache whose pages come and go in all
 * sizes would come to hold a multiple of its bound. Memory that can be resized comes from the
 * system by itself and goes back to it with the last of its bytes: much is given some of its own,
 * little a place in a slab, beside what is kept at the same time and so mostly forgotten then, too.
 *
 * Only Node's own functions are to be given such bytes; the Web's may refuse resizable memory. And
 * V8 reads a byte of it eight times as slowly: whatever is looked at byte by byte is kept afterwards.
 */

/** Kept whole as long as anything in it is: the larger, the more a few much used answers hold. */
const slabBytes = 32 * 1024
/** From here on a region of its own is filled well: regions are whole pages of the system's. */
const largeBytes = slabBytes / 2

/** The system allows a process some 65,000 mappings, and nothing works without any left. */
const mostRegions = 20_000

export class Keeper {
  readonly #most: number
  readonly #released = new FinalizationRegistry(() => {
    this.#regions--
  })
  #regions = 0
  #slab = new ArrayBuffer(0)
  #slabUsed = 0

  /** @param most regions at once; what comes then is kept in ordinary memory */
  constructor(most: number) {
    this.#most = most
  }

  /** The parts in one, copied. */
  keep(parts: readonly Uint8Array[]): Buffer {
    const kept = this.#place(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      kept.set(part, at)
      at += part.length
    }
    return kept
  }

  #place(bytes: number): Buffer {
    if (bytes >= largeBytes) return Buffer.from(this.#region(bytes), 0, bytes)
    if (this.#slabUsed + bytes > this.#slab.byteLength) {
      this.#slab = this.#region(slabBytes)
      this.#slabUsed = 0
    }
    const at = this.#slabUsed
    this.#slabUsed += bytes
    return Buffer.from(this.#slab, at, bytes)
  }

  #region(bytes: number): ArrayBuffer {
    if (this.#regions >= this.#most) return new ArrayBuffer(bytes)
    const region = new ArrayBuffer(bytes, { maxByteLength: bytes })
    this.#regions++
    this.#released.register(region, undefined)
    return region
  }
}

const keeper = new Keeper(mostRegions)

/** The parts in one, copied to where they can stay. */
export function keep(parts: readonly Uint8Array[]): Buffer {
  return keeper.keep(parts)
}
