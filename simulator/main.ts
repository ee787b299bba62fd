/**
 * The simulator as a command: `node simulator/main.ts --port 9090 --chats 5000 …`. Prints one line
 * with its URL when it is ready; SIGTERM or SIGINT ends it with exit code 0.
 */

import { parseArgs } from 'node:util'
import { Random } from './random.ts'
import { startSimulator } from './upstream.ts'

const msPerMinute = 60_000

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9090' },
    chats: { type: 'string', default: '5000' },
    limit: { type: 'string', default: '120' },
    window: { type: 'string', default: '60' },
    latency: { type: 'string', default: '40' },
    jitter: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    key: { type: 'string', default: 'demo-key' },
    'changes-per-minute': { type: 'string', default: '0' }
  }
})

const seed = numberOf('seed')
const changesPerMinute = numberOf('changes-per-minute')
const simulator = await startSimulator({
  port: numberOf('port'),
  chats: numberOf('chats'),
  limit: numberOf('limit'),
  windowSeconds: numberOf('window'),
  latencyMs: numberOf('latency'),
  jitterMs: numberOf('jitter'),
  seed,
  apiKey: values.key
})

const changes = new Random(seed)
const mutate = () => simulator.store.mutateOnce(changes)
const timer = changesPerMinute > 0 ? setInterval(mutate, msPerMinute / changesPerMinute) : undefined

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    clearInterval(timer)
    simulator.close()
  })
}

process.stdout.write(`${simulator.baseUrl}\n`)

function numberOf(name: Exclude<keyof typeof values, 'key'>): number {
  const value = Number(values[name])
  if (values[name].trim() !== '' && value >= 0) return value
  process.stderr.write(`--${name}: a number, 0 or more, is needed; got "${values[name]}"\n`)
  process.exit(1)
}
