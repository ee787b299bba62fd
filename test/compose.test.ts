/** `compose.yaml` names variables, secrets, networks and volumes that exist, and ends in time. */

import { readFile } from 'node:fs/promises'
import t from 'tap'
import { parse } from 'yaml'
import { parseConfig } from '../src/config.ts'
import { variables } from '../src/config-variables.ts'

interface Service {
  readonly environment?: Record<string, string | number>
  readonly volumes?: readonly string[]
  readonly networks: readonly string[]
  readonly secrets?: readonly string[]
  readonly stop_grace_period?: string
}

const text = await readFile(new URL('../compose.yaml', import.meta.url), 'utf8')
const { configs, networks, secrets, services, volumes } = parse(text, { merge: true }) as {
  services: Record<string, Service>
  networks: object
  volumes: object
  secrets: object
  configs: { haproxy: { content: string } }
}
const replicas = Object.entries(services).filter(([name]) => name.startsWith('replica-'))

t.test(
  'each replica is configured with what there is, and reads its secrets from files',
  async t => {
    t.equal(replicas.length, 2)
    for (const [, { environment = {} }] of replicas) {
      const names = Object.keys(environment).map(name => name.replace(/_FILE$/, ''))
      t.ok(names.every(name => name in variables))
      const plain = Object.entries(environment).filter(([name]) => !name.endsWith('_FILE'))
      const config = parseConfig({
        HELPCRUNCH_API_KEY: 'a-key',
        ...Object.fromEntries(plain.map(([name, value]) => [name, String(value)]))
      })
      t.equal(config.REDIS_URL?.hosts[0]?.host, 'store')
      t.ok(config.SHUTDOWN_DELAY_SECONDS < config.SHUTDOWN_GRACE_SECONDS)
    }
  }
)

t.test('each replica has a state of its own, and time to end', async t => {
  const states = replicas.map(([, { volumes }]) => volumes?.join())
  t.equal(new Set(states).size, replicas.length)
  for (const [, { stop_grace_period }] of replicas) {
    t.ok(Number.parseInt(stop_grace_period ?? '', 10) > variables.SHUTDOWN_GRACE_SECONDS.default)
  }
})

t.test('what services refer to is there', async t => {
  for (const service of Object.values(services)) {
    for (const network of service.networks) t.ok(network in networks, network)
    for (const secret of service.secrets ?? []) t.ok(secret in secrets, secret)
    for (const volume of service.volumes ?? []) t.ok(volume.split(':')[0]! in volumes, volume)
  }
  for (const [name] of replicas) {
    t.match(configs.haproxy.content, `server ${name} ${name}:8080`)
  }
})
