/**
 * Three replicas as real processes, each with its own folder and its own line to one store, and the
 * load that saturates them. What ends up broken is the business of whoever breaks it.
 */

import { freePorts } from '../../simulator/free-ports.ts'
import { RedisServer } from '../../test/support/redis.ts'
import { TcpProxy } from '../../test/support/tcp-proxy.ts'
import { type Answers, type Load, startLoad } from '../budget/load.ts'
import { environment, host, tokens } from '../budget/subjects.ts'
import { makeFolder } from '../processes.ts'
import { ServiceProcess } from '../service-process.ts'

const replicaCount = 3

/** Requests under way at each replica. */
const outstandingPerTeam = 20

/** Short ones, so that what has to be waited for fits into a bench. */
const settings = {
  UPSTREAM_TIMEOUT_SECONDS: '1',
  STORE_LOSS_GRACE_SECONDS: '20',
  QUEUE_MAX_WAIT_SECONDS: '8'
}

class Replica {
  readonly line: TcpProxy
  readonly port: number
  readonly #service: ServiceProcess

  constructor(line: TcpProxy, port: number, upstreamUrl: string) {
    this.line = line
    this.port = port
    const folder = makeFolder()
    const common = { ...environment({ upstreamUrl, folder, port }), ...settings }
    this.#service = new ServiceProcess({
      folder,
      environment: { ...common, REDIS_URL: line.url, LOG_LEVEL: 'fatal' }
    })
    this.#service.launch()
  }

  async restart(): Promise<void> {
    await this.#service.kill()
    this.#service.launch()
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#service.signal(signal)
  }

  async end(): Promise<void> {
    await this.#service.end()
    this.line.close()
  }
}

export class Fleet {
  readonly replicas: readonly Replica[]
  readonly store: RedisServer
  /** Follows it, for the day that it is needed. */
  readonly spare: RedisServer
  readonly #loads: readonly Load[]

  private constructor(replicas: readonly Replica[], store: RedisServer, spare: RedisServer) {
    this.replicas = replicas
    this.store = store
    this.spare = spare
    this.#loads = replicas.map(({ port }) =>
      startLoad({ url: `http://${host}:${port}`, tokens, outstandingPerTeam })
    )
  }

  static async start(upstreamUrl: string): Promise<Fleet> {
    const [storePort, sparePort, ...ports] = await freePorts(host, Array(replicaCount + 2).fill(0))
    const store = new RedisServer(storePort!, {})
    const follows = { replicaof: `${host} ${storePort}`, 'repl-diskless-sync-delay': '0' }
    const spare = new RedisServer(sparePort!, { settings: follows })
    await store.start()
    await spare.start()
    const replicas: Replica[] = []
    for (const port of ports) {
      const line = new TcpProxy(storePort!)
      await line.listen()
      replicas.push(new Replica(line, port, upstreamUrl))
    }
    return new Fleet(replicas, store, spare)
  }

  /** How often each status was answered, all replicas and teams together. */
  answers(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const answers of this.#loads.map(load => load.answers())) {
      for (const counts of Object.values(answers as Answers)) {
        for (const [status, count] of Object.entries(counts)) {
          sum[status] = (sum[status] ?? 0) + count
        }
      }
    }
    return sum
  }

  async end(): Promise<void> {
    await Promise.all(this.#loads.map(load => load.stop()))
    await Promise.all(this.replicas.map(replica => replica.end()))
    await Promise.all([this.store.end(), this.spare.end()])
  }
}
