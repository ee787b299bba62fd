/**
 * The gate: environment, state on disk, listener, signals. Starts the service or says in plain lines why not;
 * on SIGTERM or SIGINT drains it and exits 0 within the grace, on a second one exits at once.
 */

import closeWithGrace from 'close-with-grace'
import { systemClock } from './clock.ts'
import { type Config, ConfigError, readConfig, secretsOf } from './config.ts'
import { type Log, openLog } from './observe/log.ts'
import { watchMemory } from './observe/memory.ts'
import { openJournal } from './schedule/journal.ts'
import { giveUpMarginMs } from './schedule/ledger.ts'
import { lockStateDir, StateLockedError } from './schedule/state-lock.ts'
import { createService, type Service } from './service.ts'

/** Kept back from the grace for closing what would not end by itself. */
const closingShare = 0.1

try {
  const config = readConfig()
  await start(config, openLog({ level: config.LOG_LEVEL, secrets: secretsOf(config) }))
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exit(1)
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
  const service = await createService({ config, clock: systemClock, logger, journal })
  const memory = watchMemory({ clock: systemClock, promisedBytes: promisedBytes(config) })
  closeWithGrace(
    { delay: config.SHUTDOWN_GRACE_SECONDS * 1000, logger: false },
    async ({ signal, err }) => {
      if (err) logger.fatal({ err }, 'the service failed')
      else logger.info({ signal }, 'shutting down')
      await shutDown(service, config)
      memory.cancel()
      lock?.release()
      logger.info('stopped')
      await log.flushed(config.SHUTDOWN_GRACE_SECONDS * 20)
    }
  )
  const teams = config.TEAM_TOKENS.map(team => team.name)
  logger.info({ upstream: config.HELPCRUNCH_BASE_URL.href, teams }, 'starting')
  if (config.ADMIN_PORT > 0) {
    await service.admin.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
  }
  await service.app.listen({ host: config.HOST, port: config.PORT })
}

/** Room for the cache, for what is made and thrown away around it, and for Node itself. */
function promisedBytes({ CACHE_MAX_MB }: Config): number {
  return (1.5 * CACHE_MAX_MB + 120) * 1024 * 1024
}

/** Readiness first, then the door, then whoever is still inside; nobody is cut off before the end. */
async function shutDown(service: Service, config: Config): Promise<void> {
  const servers = [service.app.server, service.admin.server]
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000
  service.unready()
  const forced = systemClock.after(graceMs * (1 - closingShare), () => {
    for (const server of servers) server.closeAllConnections()
  })
  await pause(Math.min(config.SHUTDOWN_DELAY_SECONDS * 1000, graceMs / 2))
  service.drain(graceMs)
  let closed = false
  const closing = service.close().finally(() => {
    closed = true
  })
  // A connection that has finished its reply is idle, and nobody else would close it.
  while (!closed) {
    for (const server of servers) server.closeIdleConnections()
    await Promise.race([closing, pause(20)])
  }
  forced.cancel()
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => systemClock.after(delayMs, resolve))
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
  const { code, message, stack } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return `${message}: another process has this port; set PORT or ADMIN_PORT to a free one`
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return `${message}: set HOST and PORT to an address of this machine that may be used`
  return stack ?? String(error)
}
