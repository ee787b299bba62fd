/** A status with something of everything, as a busy service would give it. */

/** Of no closer type: tests of the page put hostile, wrong and missing values into any of it. */
export interface Recorded {
  // biome-ignore lint/suspicious/noExplicitAny: `unknown` could not be changed below its first member
  [member: string]: any
}

export function recordedStatus(): Recorded {
  const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString()
  return {
    service: {
      name: 'helpcrunch-proxy',
      version: '0.1.0',
      startedAt: at(11_520),
      uptimeSeconds: 11_520,
      instance: 'desk-1'
    },
    budget: {
      limit: 120,
      workingLimit: 120,
      windowSeconds: 60,
      used: 37,
      inFlight: 2,
      maxInAnyWindow: 112,
      mode: 'open',
      pausedUntil: null,
      journalProblem: null
    },
    queue: {
      length: 7,
      byTeam: { blue: 4, reporting: 3 },
      byClass: { interactive: 1, refresh: 2, bulk: 4 },
      oldestWaitSeconds: 1.32
    },
    cache: {
      entries: 1_204,
      bytes: 48_312_004,
      maxBytes: 134_217_728,
      hits: 18_200,
      stale: 2_410,
      collapsed: 822,
      misses: 1_630,
      hitRatio: 0.9293,
      evictions: 12
    },
    upstream: {
      calls: 1_702,
      byStatus: { 200: 1_688, 404: 6, 429: 1, 502: 5, timeout: 2 },
      latencyP50: 0.182,
      latencyP99: 0.911,
      lastError: {
        at: at(75),
        code: 'upstream_timeout',
        detail: 'HelpCrunch did not answer within 10 s.'
      },
      recentErrors: [
        { at: at(75), code: 'upstream_timeout', detail: 'HelpCrunch did not answer within 10 s.' },
        { at: at(610), code: 'upstream_error', detail: 'HelpCrunch answered 502.' },
        {
          at: at(1_440),
          code: 'upstream_rate_limited',
          detail: 'HelpCrunch limits the rate of calls.'
        }
      ]
    },
    teams: {
      blue: { requests: 9_120, calls: 611, saved: 8_302, refused: 4, waiting: 4 },
      green: { requests: 7_404, calls: 402, saved: 6_950, refused: 0, waiting: 0 },
      reporting: { requests: 420, calls: 588, saved: 12, refused: 31, waiting: 3 },
      'night-shift': { requests: 6_118, calls: 101, saved: 5_840, refused: 0, waiting: 0 }
    },
    replicas: {
      mode: 'joined',
      id: '3f9a01c2.desk-1',
      mostHeld: 112,
      members: [
        { id: '3f9a01c2.desk-1', held: 31, share: 60, seenSecondsAgo: 0.2, isSilent: false },
        { id: '77bd1e90.desk-2', held: 40, share: 60, seenSecondsAgo: 6.1, isSilent: true }
      ]
    },
    exports: [
      { id: 'req-7f3a', team: 'reporting', done: 31_400, total: 88_210, etaSeconds: 1_140 },
      { id: 'req-91bc', team: 'blue', done: 4_900, total: 5_000, etaSeconds: 3 }
    ]
  }
}
