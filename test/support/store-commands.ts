/** What tests do to a store that nothing in the service does, each as a script. */

import { readTimeoutMs, type SharedStore } from '../../src/shared-store.ts'

/** Waits for it no longer than a reader of pages does; null if there is no such key. */
export function read(store: SharedStore, key: string): Promise<unknown> {
  const lua = "return redis.call('GET', KEYS[1])"
  const call = { keys: [key], args: [], timeoutMs: readTimeoutMs, asBytes: true }
  return store.run({ name: 'read', lua }, call)
}

export function write(store: SharedStore, key: string, value: Buffer | string): Promise<unknown> {
  const lua = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', 5000)"
  return store.run({ name: 'write', lua }, { keys: [key], args: [value] })
}

/** Whether it is heard shows elsewhere. */
export function publish(store: SharedStore, channel: string, message: string): void {
  const lua = "return redis.call('PUBLISH', ARGV[1], ARGV[2])"
  store.run({ name: 'publish', lua }, { keys: [], args: [channel, message] }).catch(() => {})
}
