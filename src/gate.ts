/**
 * The gate: environment, state on disk, listener, signals. Starts the service or says in plain lines why not;
 * on SIGTERM or SIGINT drains it and exits 0 within the grace, on a second one exits at once.
 */

import closeWithGrace from 'close-with-grace'
import { systemClock } from './clock.ts'
import { type Config, ConfigError, readConfig, secretsOf } from './config.ts'
import { type Addresses, greeting } from './greeting.ts'
import { type Log, type Logger, openLog } from './observe/log.ts'
import { watchMemory } from './observe/memory.ts'
import { openJournal } from './schedule/journal.ts'
import { giveUpMarginMs } from './schedule/ledger.ts'
import { lockStateDir, StateLockedError } from './schedule/state-lock.ts'
import { createService, type Service } from './service.ts'
import { shutDown } from './shutdown.ts'
import type { RedisStore } from './store/redis-store.ts'

/**
 * Connections that wait to be accepted, as far as the system allows. One that finds no place there
 * is tried again by its client's system after a second, then three, then seven.
 */
const backlog = 5000

/** After an error that nobody foresaw: enough to refuse in words, and no more. */
const failedGraceMs = 500

/** Why an address cannot be listened on: no right to it, not of this machine, no such name. */
const unusable = new Set(['EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'])

export async function open(): Promise<void> {
  try {
    const config = readConfig()
    await start(config, openLog({ level: config.LOG_LEVEL, secrets: secretsOf(config) }))
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exit(1)
  }
}

async function start(config: Config, log: Log): Promise<void> {
  const { logger } = log
  // The lock first: the journal of a directory has one writer.
  const lock = lockStateDir(config.STATE_DIR)
  const unlocked = 'cannot be locked: see that no other instance uses it'
  const journal = openJournal({
    directory: config.STATE_DIR,
    capacity: config.UPSTREAM_LIMIT,
    windowMs: config.UPSTREAM_WINDOW_SECONDS * 1000,
    timeoutMs: config.UPSTREAM_TIMEOUT_SECONDS * 1000,
    giveUpMarginMs,
    now: systemClock.now(),
    lock,
    warn: message => logger.warn(lock ? message : `${message}; the directory ${unlocked}`)
  })
  if (!lock && journal.problem === undefined) {
    logger.warn(`STATE_DIR: ${config.STATE_DIR} ${unlocked}`)
  }
  const store = await openSharedStore(config, logger)
  const service = await createService({ config, clock: systemClock, logger, journal, store })
  const memory = watchMemory({ clock: systemClock, promisedBytes: promisedBytes(config) })
  const fullGraceMs = config.SHUTDOWN_GRACE_SECONDS * 1000
  const onSecondSignal = (signal: string) => logger.warn({ signal }, 'exiting at once')
  closeWithGrace({ delay: fullGraceMs, logger: false, onSecondSignal }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'the service failed')
    else logger.info({ signal }, 'shutting down')
    const graceMs = err ? Math.min(failedGraceMs, fullGraceMs) : fullGraceMs
    const delayMs = err ? 0 : config.SHUTDOWN_DELAY_SECONDS * 1000
    await shutDown(service, systemClock, { graceMs, delayMs })
    store?.close()
    memory.cancel()
    lock?.release()
    logger.info('stopped')
    await log.flushed(graceMs / 50)
  })
  await announced(config, logger, () => listen(service, config))
}

async function listen({ admin, app }: Service, config: Config): Promise<Addresses> {
  const { ADMIN_HOST, ADMIN_PORT, HOST, PORT } = config
  const operators =
    ADMIN_PORT > 0
      ? await admin.listen({ host: addressOf(ADMIN_HOST), port: ADMIN_PORT })
      : undefined
  const callers = await app.listen({ host: addressOf(HOST), port: PORT, backlog })
  return { callers, operators }
}

/** On a terminal in one block that can be read, instead of in lines of JSON. */
async function announced(config: Config, logger: Logger, listen: () => Promise<Addresses>) {
  const isForEyes = process.stdout.isTTY && logger.isLevelEnabled('info')
  if (isForEyes) logger.level = 'warn'
  const teams = config.TEAM_TOKENS.map(team => team.name)
  logger.info({ upstream: config.HELPCRUNCH_BASE_URL.href, teams }, 'starting')
  const addresses = await listen()
  if (!isForEyes) return
  logger.level = config.LOG_LEVEL
  process.stdout.write(greeting(config, addresses))
}

/** Loaded only if there is one: who runs a single replica has nothing of it in the process. */
async function openSharedStore(config: Config, logger: Logger): Promise<RedisStore | undefined> {
  const { HELPCRUNCH_API_KEY: apiKey, HELPCRUNCH_BASE_URL: baseUrl, REDIS_URL: address } = config
  if (!address) return undefined
  const { openStore } = await import('./store/open-store.ts')
  const store = await openStore({ address, apiKey, baseUrl, clock: systemClock, log: logger })
  if (typeof store === 'string') throw new ConfigError([`REDIS_URL: ${store}`])
  return store
}

/** For the other addresses of that name, Fastify would start servers that nobody looks after. */
function addressOf(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

/** Room for the cache, for what is made and thrown away around it, and for Node itself. */
function promisedBytes({ CACHE_MAX_MB }: Config): number {
  return (1.5 * CACHE_MAX_MB + 120) * 1024 * 1024
}

/** One line per problem, each with its cure; a stack only where nobody foresaw the error. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) {
    const lines = error.problems.map(problem => `configuration: ${problem}`)
    const missingKey = error.problems.some(problem =>
      problem.startsWith('HELPCRUNCH_API_KEY: is required')
    )
    if (missingKey) lines.push('To try the service without a key, on simulated chats: npm run demo')
    return lines.join('\n')
  }
  if (error instanceof StateLockedError) return error.message
  const { code = '', message, stack } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return `${message}: another process has this port; set PORT or ADMIN_PORT to a free one`
  if (unusable.has(code))
    return `${message}: set HOST and PORT to an address of this machine that may be used`
  return stack ?? String(error)
}
