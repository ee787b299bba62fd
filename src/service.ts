/**
 * The architect: builds every room once and joins their doors, in the order a request takes.
 *
 *   http → chats → cache → schedule → upstream
 *
 * Nothing here knows the environment, ports or signals; those are gate.ts's.
 */

import type { FastifyInstance } from 'fastify'
import { Cache } from './cache/cache.ts'
import { type Lifetimes, longestMs } from './cache/freshness.ts'
import { MemoryStore } from './cache/memory-store.ts'
import type { SharedCache } from './cache/shared-cache.ts'
import { storedBytes } from './cache/stored-pages.ts'
import { Chats } from './chats/chats.ts'
import { completing } from './chats/completion.ts'
import { pageTags, staleTags } from './chats/events.ts'
import { Exports } from './chats/export/exports.ts'
import type { Window } from './chats/lists.ts'
import { prospectAmong, type WindowProspect } from './chats/prospect.ts'
import { renderedBytes } from './chats/renderings.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { ServiceError } from './errors.ts'
import { connectionLimit } from './file-limit.ts'
import { createApp } from './http/app.ts'
import { anonymous } from './http/teams.ts'
import { type Load, systemLoad } from './load.ts'
import { Audit } from './observe/audit.ts'
import { Figures } from './observe/figures.ts'
import { noteIncident } from './observe/incidents.ts'
import type { Logger } from './observe/log.ts'
import { watchedAttempt } from './observe/watched-attempt.ts'
import { createOperators } from './operators.ts'
import type { Attempt, Emit, Need } from './ports.ts'
import { openBudget, openSharedCache } from './replicas.ts'
import { type Budget, unshared } from './schedule/budget.ts'
import type { Journal } from './schedule/journal.ts'
import { slotsOpenToBulk } from './schedule/reserves.ts'
import { Schedule } from './schedule/schedule.ts'
import type { SharedStore } from './shared-store.ts'
import { createUpstream } from './upstream/client.ts'

const megabyte = 1024 * 1024

export interface Service {
  /** The callers' listener and the operators', not yet listening. */
  readonly app: FastifyInstance
  readonly admin: FastifyInstance
  /** Turns readiness red; replies close their connections, and tell when to come back. */
  unready(goneInMs: number): void
  /** Refuses what waits for the upstream and all that will; calls in flight go on. */
  drain(): void
  /** Takes no more connections, ends those that are owed nothing; resolves when all have ended. */
  stopAccepting(): Promise<void>
  /** Refuses whoever still waits for an answer. */
  abandon(): void
  /** Ends all connections, whatever they are in the middle of. */
  cut(): void
  /** Ends everything; calls in flight fail. */
  close(): Promise<void>
}

export interface ServiceOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly journal: Journal
  /** What this replica shares with others; undefined if it is the only one. */
  readonly store?: SharedStore | undefined
  readonly load?: Load
  /** Whether hits may take it; the answers are the same. */
  readonly fastLane?: boolean
}

export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, clock, logger, journal, load = systemLoad } = options
  const upstream = createUpstream({
    clock,
    load,
    baseUrl: config.HELPCRUNCH_BASE_URL,
    apiKey: config.HELPCRUNCH_API_KEY,
    timeoutMs: config.UPSTREAM_TIMEOUT_SECONDS * 1000,
    concurrency: config.UPSTREAM_CONCURRENCY,
    maxBodyBytes: Math.floor(config.UPSTREAM_MAX_BODY_MB * megabyte)
  })
  const budget = await openBudget(options)
  const shared = await openSharedCache(options, longestMs(lifetimesOf(config)))
  const rooms = joinRooms({
    ...{ ...options, budget, shared },
    attempt: upstream.attempt,
    random: Math.random,
    onEvent: event => noteIncident(event, logger)
  })
  const { chats, emit, exports, invalidate, schedule } = rooms
  shared?.start(rooms.makeStale)
  let goneAt: number | undefined
  const goneInMs = () => Math.max((goneAt ?? 0) - clock.now(), 0)
  const onEvent = (event: string, data: unknown) => invalidate(staleTags(event, data))
  const { app, cleanTarget, connections, teamRefusal } = await createApp({
    ...{ ...options, load, chats, emit, exports, onEvent },
    draining: () => goneAt !== undefined,
    successorInMs: () => goneInMs() + startMs + Math.random() * spreadMs,
    mostConnections: connectionLimit({
      own: config.UPSTREAM_CONCURRENCY,
      waiting: config.QUEUE_MAX_LENGTH
    })
  })
  const operators = createOperators({ config, clock, logger, rooms, teamRefusal, cleanTarget })
  return {
    app,
    admin: operators.admin,
    unready: inMs => {
      goneAt = clock.now() + inMs
    },
    drain: () => {
      exports.drain(goneInMs())
      schedule.drain(goneInMs())
    },
    stopAccepting: async () => {
      await connections.takeIn()
      await connections.drain()
    },
    abandon: () => {
      const detail = 'The service is shutting down, and the answer did not come in time.'
      connections.abandon(new ServiceError('shutting_down', detail))
    },
    cut: () => {
      connections.cut()
      operators.connections.cut()
    },
    close: async () => {
      shared?.stop()
      await Promise.all([app.close(), operators.admin.close()])
      await budget.leave()
      await upstream.close()
      journal.close()
    }
  }
}

function lifetimesOf(config: Config): Lifetimes {
  return {
    freshMs: config.CACHE_FRESH_SECONDS * 1000,
    staleWhileRevalidateMs: config.CACHE_STALE_WHILE_REVALIDATE_SECONDS * 1000,
    staleIfErrorMs: config.CACHE_STALE_IF_ERROR_SECONDS * 1000
  }
}

/** What a successor needs to start, and over what its first callers are spread. */
const startMs = 1000
const spreadMs = 2000

export interface RoomsOptions {
  readonly config: Config
  readonly clock: Clock
  readonly journal: Journal
  /** With whom the calls are shared; by default with nobody. */
  readonly budget?: Budget
  /** The upstream's door: the real one, or a simulation's. */
  readonly attempt: Attempt
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Told of all that happens. */
  readonly onEvent?: Emit
  /** What this replica shares with others; undefined if it is the only one. */
  readonly shared?: SharedCache | undefined
}

export interface Rooms {
  readonly chats: Chats
  readonly exports: Exports
  readonly schedule: Schedule
  readonly audit: Audit
  readonly figures: Figures
  /** The stream that both of them are made of, for what happens outside of the rooms. */
  readonly emit: Emit
  readonly memory: MemoryStore
  /** What a window would come to now. */
  readonly prospect: (window: Window, need: Need) => Promise<WindowProspect>
  /** Makes stale whatever has one of these tags, on all replicas. */
  readonly invalidate: (tags: readonly string[]) => void
  /** The same, here, and since `at`. */
  readonly makeStale: (tags: readonly string[], at: number) => void
}

/** Everything between the two listeners' ends: all that has a notion of time, and no socket. */
export function joinRooms(options: RoomsOptions): Rooms {
  const { config, clock, journal, attempt, budget = unshared, random, shared } = options
  const windowMs = config.UPSTREAM_WINDOW_SECONDS * 1000
  const weights = new Map(config.TEAM_TOKENS.map(team => [team.name, team.weight]))
  const audit = new Audit(windowMs)
  const figures = new Figures(weights.size > 0 ? [...weights.keys()] : [anonymous])
  const emit: Emit = event => {
    audit.record(event)
    figures.record(event)
    options.onEvent?.(event)
  }
  const schedule = new Schedule({
    clock,
    attempt: watchedAttempt(attempt, clock, emit),
    journal,
    budget,
    emit,
    random,
    weights,
    limit: config.UPSTREAM_LIMIT,
    windowMs,
    concurrency: config.UPSTREAM_CONCURRENCY,
    maxLength: config.QUEUE_MAX_LENGTH
  })
  const memory = new MemoryStore({
    maxBytes: config.CACHE_MAX_MB * megabyte,
    weights,
    onEvicted: reason => emit({ type: 'cache.evicted', reason })
  })
  const cache = new Cache({
    clock,
    store: memory.shelf('page', storedBytes),
    send: completing((call, need) => schedule.send(call, need)),
    lifetimes: lifetimesOf(config),
    random,
    tagsOf: pageTags,
    idle: schedule,
    foresight: {
      adaptive: config.CACHE_ADAPTIVE,
      refreshAhead: config.CACHE_REFRESH_AHEAD,
      readAhead: config.CACHE_READ_AHEAD
    },
    shared
  })
  const chats = new Chats({
    clock,
    pages: cache,
    renderings: memory.shelf('answer', renderedBytes),
    ends: memory.shelf('end', storedBytes)
  })
  const exports = new Exports({
    ...{ clock, random, windowMs },
    // Past the cache: a stored page is of another moment.
    send: (call, need) => schedule.send(call, need),
    supply: () => {
      const { nextSendAt, used, workingLimit } = schedule.report()
      const slots = slotsOpenToBulk(workingLimit)
      const heldMs = Math.max(nextSendAt - clock.now(), 0)
      return { slots, free: Math.max(slots - used, 0), heldMs }
    }
  })
  const makeStale = (tags: readonly string[], at: number) => {
    cache.invalidate(tags, at)
    chats.forgetEnds()
  }
  const invalidate = (tags: readonly string[]) => {
    if (tags.length === 0) return
    makeStale(tags, clock.now())
    shared?.announce(tags)
  }
  const prospect: Rooms['prospect'] = (window, need) =>
    prospectAmong(look => chats.prospect(window, need, look), cache)
  return { chats, exports, schedule, audit, figures, emit, memory, prospect, invalidate, makeStale }
}
