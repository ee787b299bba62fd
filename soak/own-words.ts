/**
 * What a replica says of the store in its own log, as it goes on: that it waited in vain. With a
 * store that nobody troubles, only a machine that is too busy explains that.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const lateStore = /no answer within \d+ ms|arrived too late/

export class OwnWords {
  readonly #path: string
  #read = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Whether it said so since it was last asked. */
  lostStore(): boolean {
    const file = openSync(this.#path, 'r')
    try {
      const news = Buffer.alloc(Math.max(fstatSync(file).size - this.#read, 0))
      this.#read += readSync(file, news, 0, news.length, this.#read)
      return news.toString('latin1').split('\n').some(isLateStore)
    } finally {
      closeSync(file)
    }
  }
}

function isLateStore(line: string): boolean {
  return line.includes('"msg":') && lateStore.test(line)
}
