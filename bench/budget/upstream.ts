/** The parent's end of `upstream-process.ts`. */

import { once } from 'node:events'
import { kill, startScript } from '../processes.ts'
import type { Ready, Report } from './upstream-process.ts'

export interface Upstream {
  /** With `/v1`, without a slash at the end. */
  readonly baseUrl: string
  report(): Promise<Report>
  close(): Promise<void>
}

export async function startUpstream(): Promise<Upstream> {
  const script = new URL('./upstream-process.ts', import.meta.url)
  const child = startScript({ script, channel: true })
  const receive = async <Message>() => (await once(child, 'message'))[0] as Message
  const { baseUrl } = await receive<Ready>()
  return {
    baseUrl,
    report: () => {
      const received = receive<Report>()
      child.send('report')
      return received
    },
    close: () => kill(child)
  }
}
