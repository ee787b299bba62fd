/** A simulator for one test, and the plain way of asking it. */

import type t from 'tap'
import { type Settings, type Simulator, startSimulator } from '../../simulator/upstream.ts'

type Teardown = Pick<typeof t, 'teardown'>

export async function started(t: Teardown, options: Partial<Settings> = {}): Promise<Simulator> {
  const simulator = await startSimulator({ chats: 250, ...options })
  t.teardown(() => simulator.close())
  return simulator
}

export const AUTHORIZATION = { authorization: 'Bearer demo-key' }

export async function ask(simulator: Simulator, path: string, init: RequestInit = {}) {
  const url = new URL(path, simulator.baseUrl)
  const response = await fetch(url, { headers: AUTHORIZATION, ...init })
  return { status: response.status, headers: response.headers, text: await response.text() }
}
