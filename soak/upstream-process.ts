/**
 * What is beyond the wire, in a process of its own so that no load delays it: the simulator, whose
 * chats change all the time, behind a line that can be made slow, cut or silent, and such lines to
 * the store. The upstream keeps the limit by 429. Tells its parent every change, every arrival, and
 * how late it was itself.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../simulator/random.ts'
import { startSimulator } from '../simulator/upstream.ts'
import { systemClock } from '../src/clock.ts'
import { TcpProxy } from '../test/support/tcp-proxy.ts'
import {
  apiKey,
  changesPerSecond,
  chatCount,
  jitterMs,
  latencyMs,
  limit,
  windowMs
} from './conditions.ts'
import { faults, type Order, type Told, thiefTarget } from './upstream-words.ts'

const [seed = 0, storePort = 0, replicas = 0] = process.argv.slice(2).map(Number)
const simulator = await startSimulator({
  ...{ apiKey, seed, chats: chatCount, limit, windowSeconds: windowMs / 1000, enforce: true },
  ...{ latencyMs, jitterMs, now: () => systemClock.now() }
})
const line = new TcpProxy(simulator.port)
const storeLines = Array.from({ length: replicas }, () => new TcpProxy(storePort))
await Promise.all([line, ...storeLines].map(each => each.listen()))

const pulseMs = 250
const changes = new Random(seed)
let told = 0
let lastPulse = systemClock.now()

process.on('disconnect', () => process.exit())
process.on('message', order => obey(order as Order))
tell({
  kind: 'ready',
  baseUrl: `http://127.0.0.1:${line.port}/v1`,
  storeUrls: storeLines.map(each => each.url)
})
setInterval(pulse, pulseMs)
setInterval(change, 1000 / changesPerSecond)

function tell(message: Told): void {
  process.send?.(message)
}

function change(): void {
  const at = systemClock.now()
  simulator.store.mutateOnce(changes)
  tell({ kind: 'changed', at })
}

function pulse(): void {
  const at = systemClock.now()
  const count = simulator.hits() - told
  // All that arrived since; slicing by -0 would be everything.
  const arrivals = count > 0 ? simulator.arrivals().slice(-count) : []
  told += count
  const ours = arrivals.filter(({ target }) => target !== thiefTarget).map(arrival => arrival.at)
  const all = arrivals.map(arrival => arrival.at)
  tell({ kind: 'pulse', at, lateMs: at - lastPulse - pulseMs, ours, all })
  lastPulse = at
}

function obey(order: Order): void {
  switch (order.kind) {
    case 'fault':
      simulator.faultAll(order.fault && faults[order.fault])
      break
    case 'delay':
      line.delayMs = order.ms
      break
    case 'cut':
      line.cut()
      break
    case 'swallow':
      line.swallow(order.direction)
      break
    case 'heal':
      line.delayMs = 0
      line.heal()
      simulator.faultAll(undefined)
      break
    case 'steal':
      void steal(order.calls, order.lastingMs)
      break
    case 'delay store':
      for (const each of storeLines) each.delayMs = order.ms
      break
    case 'cut store':
      for (const each of storeLines) each.cut()
      break
    case 'swallow store':
      storeLines[order.line]?.swallow(...order.directions)
      break
    case 'heal store':
      for (const each of storeLines) {
        each.delayMs = 0
        each.heal()
      }
  }
}

/** Somebody else uses the key: the upstream counts them among ours. */
async function steal(calls: number, lastingMs: number): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}` }
  for (let left = calls; left > 0; left--) {
    const answer = fetch(`http://127.0.0.1:${simulator.port}${thiefTarget}`, { headers })
    await answer.then(answer => answer.text()).catch(() => {})
    await sleep(lastingMs / calls)
  }
}
