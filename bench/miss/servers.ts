/** The service and a bare server, each as a process whose heap and whose line can be read. */

import { freePorts } from '../../simulator/free-ports.ts'
import { kill, makeFolder, removeFolder, startScript } from '../processes.ts'
import { inspectHeap } from './heap.ts'

export interface Server {
  readonly url: string
  /** Bytes on its heap that are in use. */
  heapBytes(): Promise<number>
  /** Callers that wait. */
  waiting(): Promise<number>
  end(): Promise<void>
}

export async function startService(
  baseUrl: string,
  env: Readonly<Record<string, string>>
): Promise<Server> {
  const folder = makeFolder()
  const [port = 0, adminPort = 0] = await freePorts('127.0.0.1', [0, 0])
  const server = await start(new URL('../../src/main.ts', import.meta.url), port, adminPort, {
    HELPCRUNCH_API_KEY: 'bench-key',
    HELPCRUNCH_BASE_URL: baseUrl,
    LOG_LEVEL: 'warn',
    TEAM_RATE_LIMIT: '0',
    STATE_DIR: folder,
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    ...env
  })
  return { ...server, end: () => server.end().then(() => removeFolder(folder)) }
}

export async function startBare(): Promise<Server> {
  const [port = 0] = await freePorts('127.0.0.1', [0])
  return start(new URL('./holder.ts', import.meta.url), port, port, { PORT: String(port) })
}

async function start(
  script: URL,
  port: number,
  statusPort: number,
  env: Readonly<Record<string, string>>
): Promise<Server> {
  const child = startScript({ script, env, inspected: true })
  const heapBytes = await inspectHeap(child)
  const waiting = async () => {
    const status = await fetch(`http://127.0.0.1:${statusPort}/status`)
    return ((await status.json()) as { queue: { length: number } }).queue.length
  }
  while (await waiting().catch(() => true)) await new Promise(resolve => setTimeout(resolve, 20))
  return { url: `http://127.0.0.1:${port}`, heapBytes, waiting, end: () => kill(child) }
}
