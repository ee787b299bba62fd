/**
 * What a process keeps on its JavaScript heap, asked for over its inspector: garbage does not count,
 * and the process needs no code of its own for it.
 */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** @returns tells the bytes that are in use once the garbage is collected */
export async function inspectHeap(child: ChildProcess): Promise<() => Promise<number>> {
  const inspector = new WebSocket(await inspectorUrl(child))
  await once(inspector, 'open')
  let asked = 0
  const ask = async (method: string) => {
    const id = ++asked
    inspector.send(JSON.stringify({ id, method }))
    for (;;) {
      const [{ data }] = await once(inspector, 'message')
      const answer = JSON.parse(data)
      if (answer.id === id) return answer.result
    }
  }
  return async () => {
    await ask('HeapProfiler.collectGarbage')
    return (await ask('Runtime.getHeapUsage')).usedSize
  }
}

async function inspectorUrl({ stderr }: ChildProcess): Promise<string> {
  const lines = createInterface({ input: stderr! })
  for (;;) {
    const [line] = await once(lines, 'line')
    const url = /ws:\/\/\S+/.exec(line)?.[0]
    if (url) return url
  }
}
