/**
 * Ground floor: the store that replicas share (Redis or Valkey), as the rooms see it. `store/`
 * implements it; the rooms own what they keep there and the scripts that do it. It may be slow,
 * gone, emptied or replaced at any moment, so every answer is bounded in time, nothing is queued
 * for later, and who asks must be right without an answer.
 */

export interface SharedStore {
  /** What every key and channel begins with: prefix, version, hash tag of this budget. */
  readonly namespace: string
  /** False while it is known not to answer: then there is no use in asking. */
  readonly isUp: boolean
  /** Runs a script, giving it to the store first if it is missing there. Rejects with `StoreError`. */
  run(script: Script, call: ScriptCall): Promise<unknown>
  /** Rejects with `StoreError`. */
  delete(key: string): Promise<void>
  /** To what scripts publish now; what is said while nobody can hear it is lost. */
  subscribe(channel: string, listener: (message: string) => void): void
  /** Called at each change, and at once with how it is now. */
  watch(listener: (state: StoreState) => void): void
}

export interface Script {
  readonly name: string
  readonly lua: string
}

export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly (string | number | Buffer)[]
  /** By default `storeTimeoutMs`. */
  readonly timeoutMs?: number
  /** Strings in the answer come as `Buffer`s, because they may be anything. */
  readonly asBytes?: boolean
}

/** Slower than this counts as gone. */
export const storeTimeoutMs = 250

/** Who reads a page from it waits no longer; slower than this, it is not asked for pages. */
export const readTimeoutMs = 50

export type StoreState =
  /** `runId` is another one whenever another process answers, whose memory need not be the same. */
  | { readonly state: 'up'; readonly runId: string }
  | { readonly state: 'down'; readonly reason: string }

/** The store gave no answer, or refused. */
export class StoreError extends Error {
  /** `refused`: it answered, with an error. Otherwise it may or may not have done what was asked. */
  readonly kind: 'refused' | 'unsent' | 'unknown'

  constructor(kind: StoreError['kind'], message: string) {
    super(message)
    this.name = 'StoreError'
    this.kind = kind
  }
}
