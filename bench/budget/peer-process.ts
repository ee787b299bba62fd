/**
 * One peer as a process of its own: `node peer-process.ts <limiter> <upstream URL>` makes plain
 * undici calls as fast as the limiter lets it, always as many under way as the service may have.
 * Ends when its parent is gone.
 */

import { Agent, request } from 'undici'
import { apiKey, concurrency, targets } from './conditions.ts'
import { type LimiterName, limiters } from './limiters.ts'

const [name, baseUrl = ''] = process.argv.slice(2)
const limiter = limiters[name as LimiterName]()
const dispatcher = new Agent({ connections: concurrency })
const headers = { authorization: `Bearer ${apiKey}` }
const target = targets()

process.on('disconnect', () => process.exit())
for (let worker = 0; worker < concurrency; worker++) void keepCalling()

async function keepCalling(): Promise<never> {
  for (;;) await limiter(call)
}

async function call(): Promise<void> {
  const { body } = await request(baseUrl + target.next().value, { dispatcher, headers })
  await body.dump()
}
