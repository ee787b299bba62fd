/**
 * Compiles the code ahead of the first start: loads it, and opens nothing. What is loaded only when
 * it is asked for is named here.
 */

await import('./main.ts')
await import('./cache/envelope.ts')
await import('./cache/shared-cache.ts')
await import('./schedule/replicas/identity.ts')
await import('./schedule/replicas/shared-budget.ts')
await import('./store/open-store.ts')
