/** A reader of an export that takes as much a second as it is told to, and no more. */

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Site } from './site.ts'

export interface Reading {
  readonly format: string
  /** Without it, as fast as it comes. */
  readonly bytesPerSecond?: number
  /** Whether to go on. */
  readonly eachSecond?: () => Promise<boolean>
}

export interface Read {
  readonly bytes: number
  readonly seconds: number
  /** Whether the body ended, and with its mark where there is one. */
  readonly complete: boolean
}

const stepMs = 50

export async function readExport({ url, token }: Site, reading: Reading): Promise<Read> {
  const { bytesPerSecond, format } = reading
  const startedAt = performance.now()
  const asked = request(`${url}/chats/export?format=${format}`, {
    headers: { authorization: `Bearer ${token}` }
  }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const { bytes, last } = bytesPerSecond
    ? await takeSlowly(response, bytesPerSecond, reading.eachSecond)
    : await takeAll(response)
  const marked = format === 'csv' || last.includes('"complete":true')
  return {
    bytes,
    seconds: (performance.now() - startedAt) / 1000,
    complete: response.complete && marked
  }
}

async function takeAll(response: IncomingMessage): Promise<{ bytes: number; last: string }> {
  let bytes = 0
  let last = ''
  for await (const chunk of response) {
    bytes += chunk.length
    last = (last + chunk.toString('latin1')).slice(-200)
  }
  return { bytes, last }
}

async function takeSlowly(
  response: IncomingMessage,
  bytesPerSecond: number,
  eachSecond: Reading['eachSecond']
): Promise<{ bytes: number; last: string }> {
  let bytes = 0
  const startedAt = performance.now()
  for (let seconds = 0; ; await sleep(stepMs)) {
    const soFar = (performance.now() - startedAt) / 1000
    // Only what may be taken by now; the rest stays with the system, and then with the service.
    const mayTake = Math.floor(soFar * bytesPerSecond) - bytes
    const chunk = mayTake > 0 ? response.read(Math.min(mayTake, response.readableLength)) : null
    bytes += chunk?.length ?? 0
    if (Math.floor(soFar) <= seconds) continue
    seconds = Math.floor(soFar)
    if (!(await eachSecond?.())) break
  }
  response.destroy()
  return { bytes, last: '' }
}
