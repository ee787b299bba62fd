/**
 * The shared ledger as a replica sees it: `ledger.lua`, which is the ledger, and what the two say
 * to each other. JSON both ways. An answer is checked before it is believed, because a store is
 * open to others.
 */

import { readFileSync } from 'node:fs'
import type { Script, SharedStore } from '../../shared-store.ts'
import { StoreError } from '../../shared-store.ts'
import type { Demand, Level } from '../budget.ts'

const ledgerScript: Script = {
  name: 'ledger',
  lua: readFileSync(new URL('./ledger.lua', import.meta.url), 'utf8')
}

/** What every exchange says; durations in milliseconds. */
export interface Common {
  readonly id: string
  readonly channel: string
  /** The store's Unix milliseconds after which the exchange must not be carried out. */
  readonly validUntil: number
  readonly limit: number
  readonly windowMs: number
  /** From a grant until the upstream certainly does not see its call arrive any more. */
  readonly leaseMs: number
  readonly guardMs: number
  /** The part of the slots that is closed to calls of each level (reserves.ts). */
  readonly closed: readonly number[]
  /** Silent for longer, a member counts as gone. */
  readonly silentMs: number
  readonly graceMs: number
}

/** `[name of the slot, milliseconds]`. */
export type Timed = readonly [name: string, ms: number]

export interface Wishes {
  readonly wants: Demand
  readonly workingLimit: number
  /** By team, how many slots it holds here. */
  readonly teams: Readonly<Record<string, number>>
}

export interface News {
  /** How long ago each was done; below 0 if it counts as done only later. */
  readonly settled: readonly Timed[]
  readonly released: readonly string[]
  readonly pauseMs?: number
}

export type Request =
  | { readonly op: 'hello' }
  | (Common &
      Wishes & {
        readonly op: 'join'
        readonly nonce: string
        readonly runId: string
        /** The name of the new epoch, if one has to be founded. */
        readonly newEpoch: string
        /** The epoch it knew last, and what it accounts for of that; empty if it knew none. */
        readonly former: string
        readonly claim: number
        readonly seen: number
        /** What it may spend if it is cut off, as far as it knows. */
        readonly share: number
        readonly freshHoldMs: number
        /** Its own calls that still count, and in how long each will not. */
        readonly slots: readonly Timed[]
        /** Its own knowledge is not whole: what the shared ledger knows of it stays. */
        readonly keepsSlots: boolean
      })
  | (Common &
      Wishes &
      News & {
        readonly op: 'sync'
        readonly epoch: string
        readonly nonce: string
        readonly seq: number
        /** The ledger's version that it last heard of: an older one is another memory. */
        readonly seen: number
        readonly share: number
      })
  | (Common & News & { readonly op: 'leave'; readonly epoch: string; readonly nonce: string })
  | { readonly op: 'reset'; readonly epoch: string }

interface Member {
  readonly id: string
  readonly share: number
  readonly seenMs: number
  readonly held: number
  readonly silent: boolean
}

export interface Answer {
  /** The store's Unix milliseconds. */
  readonly time: number
  readonly epoch: string
  /** Grows with each exchange. */
  readonly version: number
  readonly share: number
  readonly grants: readonly (readonly [serial: number, level: Level])[]
  readonly used: number
  /** Slots that may be held at all just now. */
  readonly size: number
  /** Most slots that were ever held at one time. */
  readonly most: number
  /** When it is worth asking again, if nothing is said before. */
  readonly nextMs: number
  readonly heldMs: number
  readonly pausedMs: number
  /** In how long each slot of other replicas comes free. */
  readonly others: readonly number[]
  /** By team, how many slots it holds there. */
  readonly teams: Readonly<Record<string, number>>
  /** Other replicas that wait for a slot. */
  readonly waiting: number
  readonly members: readonly Member[]
}

/** Nothing was done. `epoch`: another memory; `member`: not known in this one; `late`. */
export interface Refused {
  readonly refused: 'epoch' | 'member' | 'late'
  readonly time: number
}

export interface Left {
  readonly time: number
  readonly isLast: boolean
}

/** @throws {StoreError} `unknown` also if the answer is none. */
export async function exchange<Expected extends { time: number }>(
  store: SharedStore,
  request: Request
): Promise<Expected | Refused> {
  const keys = ['meta', 'slots', 'members'].map(name => `${store.namespace}ledger:${name}`)
  const text = await store.run(ledgerScript, { keys, args: [JSON.stringify(request)] })
  const answer = parse(text)
  if (!isAnswer(answer)) throw new StoreError('unknown', 'the shared ledger gave no answer')
  // Lua has one word for an empty list and an empty object.
  for (const list of ['grants', 'others', 'members']) {
    if (list in answer && !Array.isArray(answer[list])) answer[list] = []
  }
  return answer as unknown as Expected | Refused
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

function isAnswer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Number.isFinite(Reflect.get(value, 'time'))
}
