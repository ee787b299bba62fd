/**
 * The service as it is, all rooms between its listeners: its calls go through the schedule with the
 * upstream's limit. Which page of the upstream's an answer was cut from is found by its bytes, so
 * that an answer which the upstream never gave is found out as well.
 */

import type { ListAnswer } from '../../src/chats/chats.ts'
import { staleTags } from '../../src/chats/events.ts'
import { chatList } from '../../src/chats/lists.ts'
import { pageCall, pageSize } from '../../src/chats/windows.ts'
import { parseConfig } from '../../src/config.ts'
import type { Page } from '../../src/page.ts'
import type { Call, Need } from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { joinRooms, type Rooms } from '../../src/service.ts'
import { pageOf } from '../../test/support/pages.ts'
import {
  freshMs,
  limit,
  lists,
  staleWhileRevalidateMs,
  teams,
  webhookDelayMs
} from './conditions.ts'
import type { DeskEvent } from './desk.ts'
import type { Shown } from './staleness.ts'
import type { Candidate, Subject, World } from './subject.ts'
import type { Snapshot } from './upstream-lists.ts'
import type { Request } from './workload.ts'

const queueMaxWaitMs = 8000

export interface OursOptions {
  readonly name: string
  /** What differs from the defaults. */
  readonly environment?: Readonly<Record<string, string>>
  /** Whether it is told, a moment later, what happens at the desk. */
  readonly webhooks?: boolean
}

export function ours({ name, environment = {}, webhooks = false }: OursOptions): Candidate {
  return { name, enter: world => new Ours(world, environment, webhooks) }
}

const environmentOfAll = {
  HELPCRUNCH_API_KEY: 'virtual',
  TEAM_TOKENS: teams.map(team => `${team}=bench-token-of-team-${team}`).join(),
  UPSTREAM_LIMIT: String(limit),
  CACHE_FRESH_SECONDS: String(freshMs / 1000),
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: String(staleWhileRevalidateMs / 1000),
  QUEUE_MAX_WAIT_SECONDS: String(queueMaxWaitMs / 1000)
}

const neverAborted = new AbortController().signal

const chatLists = lists.map(chatList)
const indexes = new Map(chatLists.map(({ name }, index) => [name, index] as const))

/** A page as it arrived. */
interface Landed {
  readonly snapshot: Snapshot
  readonly page: Page
}

/** Of each target: an answer is never cut from an older one. */
const landedKept = 3

class Ours implements Subject {
  readonly #world: World
  readonly #webhooks: boolean
  readonly #rooms: Rooms
  readonly #landed = new Map<string, Landed[]>()
  readonly #needs = new WeakMap<Call, Need>()
  #counts: Record<string, number> = {}

  constructor(world: World, environment: Readonly<Record<string, string>>, webhooks: boolean) {
    this.#world = world
    this.#webhooks = webhooks
    this.#rooms = joinRooms({
      config: parseConfig({ ...environmentOfAll, ...environment }),
      clock: world.clock,
      journal: noJournal,
      attempt: call => this.#attempt(call),
      random: () => world.random.next()
    })
    this.#watchSends()
  }

  async ask(request: Request): Promise<readonly Shown[]> {
    const { list, offset, limit, team } = request
    const deadline = this.#world.clock.now() + queueMaxWaitMs
    const need: Need = { team, priority: 'interactive', deadline, signal: neverAborted }
    const window = { list: chatLists[list]!, offset, limit }
    return this.#rooms.chats.list(window, need, answer => [this.#shown(request, answer)])
  }

  hear({ at, chat, event }: DeskEvent): void {
    if (!this.#webhooks) return
    const { clock } = this.#world
    const tell = () => this.#rooms.invalidate(staleTags(event, { chat_id: idOf(chat) }))
    clock.after(at + webhookDelayMs - clock.now(), tell)
  }

  takeCallCounts(): Readonly<Record<string, number>> {
    const counts = this.#counts
    this.#counts = {}
    return counts
  }

  /** What a call is for, only its need tells, which the upstream's door is not shown. */
  #watchSends(): void {
    const { schedule } = this.#rooms
    const send = schedule.send.bind(schedule)
    schedule.send = (call, need) => {
      this.#needs.set(call, need)
      return send(call, need)
    }
  }

  async #attempt(call: Call): Promise<Page> {
    const landed = this.#landed.get(call.target) ?? []
    this.#landed.set(call.target, landed)
    const purpose = this.#purposeOf(call, landed[0])
    this.#counts[purpose] = (this.#counts[purpose] ?? 0) + 1
    const { offset, limit } = call
    const list = indexes.get(call.list.name)!
    const snapshot = await this.#world.upstream.take({ list, offset, limit })
    const page = pageOf(snapshot.chats.map(textOf(snapshot)), snapshot.total)
    landed.unshift({ snapshot, page })
    landed.length = Math.min(landed.length, landedKept)
    return page
  }

  #purposeOf(call: Call, latest: Landed | undefined): string {
    const need = this.#needs.get(call)
    if (need?.priority === 'bulk') return 'read ahead'
    if (need?.priority !== 'refresh') return latest ? 'waited for again' : 'waited for first'
    // A refresh may wait as long as the old page may be served while it is refreshed.
    const staleAt = need.deadline - staleWhileRevalidateMs
    return this.#world.clock.now() < staleAt ? 'refresh of fresh' : 'refresh of stale'
  }

  /**
   * The newest of the pages that hold what the answer shows: an unchanged page is as true as on the
   * day it was taken last. All page sizes divide a page, so an answer is cut from one.
   */
  #shown({ limit, list, offset }: Request, { rendering: { body } }: ListAnswer): Shown {
    const { target, offset: pageOffset } = pageCall(chatLists[list]!, Math.floor(offset / pageSize))
    const from = offset - pageOffset
    for (const { page, snapshot } of this.#landed.get(target) ?? []) {
      const to = Math.min(from + limit, snapshot.chats.length)
      if (isCutFrom(page, from, to, body)) return { snapshot, from, to }
    }
    throw new Error(`the upstream never said what was answered to ${target}`)
  }
}

/** Whether the body shows chats `from` up to, not including, `to` of the page. */
function isCutFrom({ bytes, open, spans }: Page, from: number, to: number, body: Buffer): boolean {
  const shown = bytes.subarray(spans[2 * from], spans[2 * to - 1])
  return body.subarray(open, open + shown.length).equals(shown)
}

function textOf({ versions }: Snapshot): (chat: number, index: number) => string {
  return (chat, index) => `{"id":${idOf(chat)},"version":${versions[index]}}`
}

/** As long as they are, for all of them, so that no chat is the beginning of another. */
function idOf(chat: number): number {
  return 1_000_000 + chat
}
