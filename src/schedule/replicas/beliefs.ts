/**
 * What a replica believes of the shared ledger: which memory it is and how far it had come, as who
 * it is known there, and which share it has if it is cut off. What has to outlive the process is
 * kept (identity.ts).
 */

import { randomBytes } from 'node:crypto'
import type { Identity } from './identity.ts'
import type { Answer } from './shared-ledger.ts'

export class Beliefs {
  readonly #identity: Identity
  #epoch: string
  /** What it accounts for of the epoch that it knew last. */
  #claim: number
  /** Tells this membership from earlier ones of the same replica. */
  #nonce = ''
  #seq = 0
  /** The ledger's version in our epoch. */
  #seen = 0
  #share = 0

  constructor(identity: Identity) {
    this.#identity = identity
    this.#epoch = identity.memory.epoch
    this.#claim = identity.memory.share
  }

  get epoch(): string {
    return this.#epoch
  }

  get nonce(): string {
    return this.#nonce
  }

  get share(): number {
    return this.#share
  }

  /** To be said when it joins: a membership of its own begins. @param share that it may be spending */
  joining(share: number) {
    this.#nonce = randomName()
    this.#seq = 0
    const former = { former: this.#epoch, claim: this.#claim, seen: this.#seen }
    return { nonce: this.#nonce, newEpoch: randomName(), ...former, share }
  }

  /** To be said at the next exchange, which has a number. */
  syncing() {
    return { ...this.member, seq: ++this.#seq, seen: this.#seen, share: this.#share }
  }

  get member() {
    return { epoch: this.#epoch, nonce: this.#nonce }
  }

  heard({ epoch, share, version }: Answer): void {
    if (share !== this.#share || epoch !== this.#epoch) this.#identity.remember({ epoch, share })
    this.#epoch = epoch
    this.#seen = version
    this.#share = share
    this.#claim = share
  }

  /** @param share that is accounted for by who comes back */
  left(share: number): void {
    this.#identity.remember({ epoch: this.#epoch, share })
  }
}

function randomName(): string {
  return randomBytes(8).toString('hex')
}
