/**
 * `npm run openapi`: writes the contract that the routes describe to `openapi.yaml`. The same text
 * is served at `/openapi.yaml`; a test holds the file against the routes.
 */

import { writeFile } from 'node:fs/promises'
import { systemClock } from './clock.ts'
import { parseConfig } from './config.ts'
import { createLogger } from './observe/log.ts'
import { noJournal } from './schedule/journal.ts'
import { createService } from './service.ts'

// With everything turned on that a variable turns on.
const config = parseConfig({
  HELPCRUNCH_API_KEY: 'not-used',
  WEBHOOK_SIGNING_KEY: 'not-used-either',
  LOG_LEVEL: 'silent'
})
const destination = { write: () => {} }
const service = await createService({
  config,
  clock: systemClock,
  logger: createLogger({ level: config.LOG_LEVEL, secrets: [], destination }),
  journal: noJournal
})
await service.app.ready()
await writeFile(new URL('../openapi.yaml', import.meta.url), service.app.swagger({ yaml: true }))
await service.close()
