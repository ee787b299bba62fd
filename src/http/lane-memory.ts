/**
 * What the fast lane remembers: how targets were asked for and answered, by whom, and what each
 * connection asked last. Bounded, whatever callers make up. Whether an answer still holds is not
 * its business; it keeps no page and no answer.
 */

import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ListAnswer } from '../chats/chats.ts'
import type { Window } from '../chats/lists.ts'
import type { Coding } from '../chats/rendering.ts'
import type { Need } from '../ports.ts'
import { type LinePlace, linePlaceOf } from './access-log.ts'
import { LastAsked } from './last-asked.ts'
import { type PlainHeaders, plainHeaders } from './plain-headers.ts'
import { headOf, type PreparedHead } from './prepared-head.ts'
import { choose } from './representation.ts'

interface Caller {
  readonly team: string
  readonly need: Need
}

/** One way in which one target was asked for, and how that was answered. */
interface Variant extends Pick<PlainHeaders, 'acceptEncoding' | 'ifNoneMatch' | 'origin'> {
  readonly version: number
  readonly coding: Coding | undefined
  readonly head: PreparedHead
  readonly place: LinePlace
}

interface Known {
  readonly window: Window
  readonly variants: Variant[]
}

/** Those that were learnt first go first; whatever is still asked for is learnt again. */
const mostTargets = 1000
const mostVariants = 8
const mostCallers = 1000

/** Who asks for what, and how that was answered the last time. */
export interface Wish {
  readonly caller: Caller
  readonly plain: PlainHeaders
  readonly variant: Variant
  readonly window: Window
}

export class LaneMemory {
  readonly #targets = new Map<string, Known>()
  /** By the whole `Authorization` that was let in. */
  readonly #callers = new Map<string | undefined, Caller>()
  readonly #lastAsked = new LastAsked<Wish>()

  /** Of an answer from memory, when it is about to be sent. */
  learn(request: FastifyRequest, reply: FastifyReply, window: Window, answer: ListAnswer): void {
    const { originalUrl, raw, team } = request
    const plain = plainHeaders(raw.rawHeaders)
    const isRepeatable = raw.method === 'GET' && originalUrl === raw.url && plain !== undefined
    const head = headOf(reply.statusCode, reply.getHeaders())
    const { rendering, status, version } = answer
    if (!isRepeatable || !head || status.kind !== 'hit' || version === undefined) return
    const { variants } = this.#knownOf(originalUrl, window)
    const fresh = {
      acceptEncoding: plain.acceptEncoding,
      ifNoneMatch: plain.ifNoneMatch,
      origin: plain.origin,
      version,
      coding: choose(rendering, plain.acceptEncoding).coding,
      head,
      place: linePlaceOf(request, reply.statusCode)
    }
    const at = variants.findIndex(variant => isSame(variant, plain))
    // In its place, so that all connections that remember it know what this one has learnt.
    variants.unshift(at < 0 ? fresh : Object.assign(variants.splice(at, 1)[0]!, fresh))
    variants.length = Math.min(variants.length, mostVariants)
    if (this.#callers.size < mostCallers) {
      this.#callers.set(plain.authorization, { team, need: needOf(team) })
    }
  }

  #knownOf(target: string, window: Window): Known {
    const known = this.#targets.get(target)
    if (known) return known
    const fresh = { window, variants: [] }
    this.#targets.set(target, fresh)
    const [oldest] = this.#targets.keys()
    if (this.#targets.size > mostTargets && oldest !== undefined) this.#targets.delete(oldest)
    return fresh
  }

  /** Undefined if nothing like it was learnt, or it is not plain. */
  wishOf(request: IncomingMessage): Wish | undefined {
    return this.#lastAsked.meaningOf(request) ?? this.#read(request)
  }

  /** It was not answered as it was the last time. */
  forget(request: IncomingMessage): void {
    this.#lastAsked.forget(request)
  }

  #read(request: IncomingMessage): Wish | undefined {
    const known = this.#targets.get(request.url!)
    const plain = known && plainHeaders(request.rawHeaders)
    if (!plain) return undefined
    const caller = this.#callers.get(plain.authorization)
    const variant = known.variants.find(one => isSame(one, plain))
    if (!caller || !variant) return undefined
    const wish = { caller, plain, variant, window: known.window }
    this.#lastAsked.note(request, wish)
    return wish
  }
}

function isSame(variant: Variant, plain: PlainHeaders): boolean {
  return (
    variant.acceptEncoding === plain.acceptEncoding &&
    variant.ifNoneMatch === plain.ifNoneMatch &&
    variant.origin === plain.origin
  )
}

/** Nobody waits for what is stored. */
function needOf(team: string): Need {
  return { team, priority: 'interactive', deadline: -Infinity, signal: neverAborted }
}

const neverAborted = new AbortController().signal
