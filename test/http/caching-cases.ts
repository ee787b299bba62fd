/**
 * What a request says about caching, what is stored, and what it gets, a sentence a case, with the
 * section that asks for it. RFC 9111 section 5.2.1 leaves request directives to the cache; those
 * that the contract names are honoured as the sections describe them.
 */

/** With these lifetimes: fresh for 30 s, refreshed behind until 90 s, kept for errors until 86,430 s. */
export const lasting = {
  CACHE_FRESH_SECONDS: '30',
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: '60',
  CACHE_STALE_IF_ERROR_SECONDS: '86400',
  CACHE_REFRESH_AHEAD: 'false',
  CACHE_READ_AHEAD: 'false',
  CACHE_ADAPTIVE: 'false'
}

export interface Case {
  readonly section: string
  readonly name: string
  /** How old the stored page is, in seconds; nothing is stored without. */
  readonly age?: number
  readonly method?: 'HEAD'
  /** `<tag>` stands for the tag of what was stored first, `<bare tag>` for it without its quotes. */
  readonly headers?: readonly string[]
  /** What has become of the upstream since then. */
  readonly upstream?: 'changed' | 'failing'
  readonly wanted: Wanted
}

export interface Wanted {
  readonly status: 200 | 304 | 502 | 504
  /** The value of Cache-Status after the name of the cache. */
  readonly cache?: string
  /** Age and max-age, in seconds. */
  readonly age?: number
  readonly maxAge?: number
  readonly tag?: 'same' | 'other'
  readonly calls: number
}

const miss = 'fwd=uri-miss; fwd-status=200; stored'
const stale = 'fwd=stale; fwd-status=200; stored'
const request = 'fwd=request; fwd-status=200; stored'

const hit = (age: number, status: 200 | 304 = 200): Wanted => ({
  ...{ status, cache: `hit; ttl=${Math.floor(30 - age)}`, age: Math.floor(age), maxAge: 30 },
  ...{ tag: 'same', calls: 0 }
})
/** Served stale, while a refresh runs behind. */
const refreshed = (age: number, status: 200 | 304 = 200): Wanted => ({
  ...hit(age, status),
  calls: 1
})
const fetched = (cache: string, status: 200 | 304 = 200): Wanted => ({
  ...{ status, cache, age: 0, maxAge: 30, calls: 1 }
})
const notCached: Wanted = { status: 504, calls: 0 }
const inSpiteOf = (age: number, status: 200 | 304 = 200): Wanted => ({
  ...hit(age, status),
  ...{ cache: `hit; ttl=${Math.floor(30 - age)}; detail=upstream_error`, calls: 1 }
})

const cacheControl = (value: string) => [`Cache-Control: ${value}`]
const ifNoneMatch = (value: string) => [`If-None-Match: ${value}`]
const longList = Array.from({ length: 230 }, (_, index) => `"${index}-${'x'.repeat(27)}"`).join(
  ', '
)

/** RFC 9111 section 4.2, RFC 5861: what is fresh, what may be served stale, and what Age says. */
const lifetimes: readonly Case[] = [
  { section: 'RFC 9111 4', name: 'what is not stored is fetched', wanted: fetched(miss) },
  { section: 'RFC 9111 4.2', name: 'what arrived this moment is fresh', age: 0, wanted: hit(0) },
  {
    section: 'RFC 9111 4.2.3',
    name: 'Age and ttl count whole seconds, down',
    age: 7.9,
    wanted: hit(7.9)
  },
  { section: 'RFC 9111 4.2', name: 'fresh to the last moment', age: 29.999, wanted: hit(29.999) },
  {
    section: 'RFC 5861 3',
    name: 'from then on stale, and refreshed behind',
    age: 30.001,
    wanted: refreshed(30.001)
  },
  {
    section: 'RFC 9211 2.4',
    name: 'a stale ttl is rounded down',
    age: 45.5,
    wanted: refreshed(45.5)
  },
  {
    section: 'RFC 5861 3',
    name: 'past that window a caller waits for what is new',
    age: 91,
    upstream: 'changed',
    wanted: { ...fetched(stale), tag: 'other' }
  },
  {
    section: 'RFC 9110 8.8.3',
    name: 'what is fetched again and has not changed keeps its tag',
    age: 91,
    wanted: { ...fetched(stale), tag: 'same' }
  },
  {
    section: 'RFC 5861 4',
    name: 'if it cannot be had, Age keeps counting',
    age: 100.5,
    upstream: 'failing',
    wanted: inSpiteOf(100.5)
  },
  {
    section: 'RFC 5861 4',
    name: 'for a day',
    age: 86_429,
    upstream: 'failing',
    wanted: inSpiteOf(86_429)
  },
  {
    section: 'RFC 5861 4',
    name: 'and no longer',
    age: 86_431,
    upstream: 'failing',
    wanted: { status: 502, calls: 1 }
  }
]

/** RFC 9110 section 13: preconditions. */
const preconditions: readonly Case[] = [
  { name: 'the tag itself', field: '<tag>', status: 304 as const },
  { name: 'the tag as a weak one', field: 'W/<tag>', status: 304 as const },
  { name: 'a list with the tag', field: '"a", W/"b",<tag> , "c"', status: 304 as const },
  { name: 'any', field: '*', status: 304 as const },
  {
    name: 'a list of 8 kB that ends with the tag',
    field: `${longList}, <tag>`,
    status: 304 as const
  },
  { name: 'another tag', field: '"AAAA"', status: 200 as const },
  { name: 'a list of 8 kB of others', field: longList, status: 200 as const },
  { name: 'the tag without its quotes', field: '<bare tag>', status: 200 as const },
  { name: 'nothing', field: '', status: 200 as const }
].flatMap(({ field, name, status }): Case[] => {
  const about = { section: 'RFC 9110 13.1.2', headers: ifNoneMatch(field), age: 9 }
  const wanted = hit(9, status)
  return [
    { ...about, name: `If-None-Match names ${name}`, wanted },
    { ...about, name: `so for HEAD: ${name}`, method: 'HEAD', wanted }
  ]
})

const conditional: readonly Case[] = [
  ...preconditions,
  {
    section: 'RFC 9110 13.1.2',
    name: 'any representation is current as soon as there is one',
    headers: ifNoneMatch('*'),
    wanted: fetched(miss, 304)
  },
  {
    section: 'RFC 9110 5.3',
    name: 'two fields of the name are one list',
    age: 9,
    headers: [...ifNoneMatch('"a"'), ...ifNoneMatch('<tag>')],
    wanted: hit(9, 304)
  },
  {
    section: 'RFC 9111 4.3.2',
    name: 'a stale tag is current too, as stale as the answer would be',
    age: 45,
    headers: ifNoneMatch('<tag>'),
    wanted: refreshed(45, 304)
  },
  {
    section: 'RFC 9111 4.3.2',
    name: 'an old tag is current again if nothing has changed',
    age: 91,
    headers: ifNoneMatch('<tag>'),
    wanted: { ...fetched(stale, 304), tag: 'same' }
  },
  {
    section: 'RFC 9111 4.3.2',
    name: 'and not if something has',
    age: 91,
    upstream: 'changed',
    headers: ifNoneMatch('<tag>'),
    wanted: { ...fetched(stale), tag: 'other' }
  },
  {
    section: 'RFC 5861 4',
    name: 'what is served in spite of an error can be unmodified',
    age: 100,
    upstream: 'failing',
    headers: ifNoneMatch('<tag>'),
    wanted: inSpiteOf(100, 304)
  },
  {
    section: 'RFC 9110 13.2.1',
    name: 'an error is an error, whatever is named',
    upstream: 'failing',
    headers: ifNoneMatch('*'),
    wanted: { status: 502, calls: 1 }
  },
  {
    section: 'RFC 9110 13.1.1',
    name: 'If-Match is for origins: a cache may leave it alone',
    age: 9,
    headers: ['If-Match: "another"'],
    wanted: hit(9)
  },
  {
    section: 'RFC 9110 13.1.3',
    name: 'without a Last-Modified, If-Modified-Since says nothing',
    age: 9,
    headers: ['If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT'],
    wanted: hit(9)
  },
  {
    section: 'RFC 9110 13.2.2',
    name: 'nor does it beside If-None-Match',
    age: 9,
    headers: [...ifNoneMatch('"a"'), 'If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT'],
    wanted: hit(9)
  },
  {
    section: 'RFC 9110 14.2',
    name: 'a range may be ignored',
    age: 9,
    headers: ['Range: bytes=0-5'],
    wanted: hit(9)
  }
]

/** RFC 9111 section 5.2.1: Cache-Control of a request. */
const directive = (
  section: string,
  name: string,
  age: number | undefined,
  value: string,
  wanted: Wanted,
  upstream?: Case['upstream']
): Case => ({
  ...{
    section: `RFC 9111 ${section}`,
    name: `${value}: ${name}`,
    headers: cacheControl(value),
    wanted
  },
  ...(age !== undefined && { age }),
  ...(upstream && { upstream })
})

const directives: readonly Case[] = [
  directive('5.2.1.1', 'young enough', 9, 'max-age=10', hit(9)),
  directive('5.2.1.1', 'just young enough', 10, 'max-age=10', hit(10)),
  directive('5.2.1.1', 'too old', 11, 'max-age=10', fetched(request)),
  directive('5.2.1.1', 'a moment is too old', 0.001, 'max-age=0', fetched(request)),
  directive(
    '5.2.1.1',
    'nothing stale, unless max-stale allows it',
    40,
    'max-age=50',
    fetched(stale)
  ),
  directive('5.2.1.1', 'which it does', 40, 'max-age=50, max-stale', refreshed(40)),
  directive('5.2.1.1', 'not stored', undefined, 'max-age=10', fetched(miss)),
  directive('5.2.1.1', 'cannot be had', 11, 'max-age=10', inSpiteOf(11), 'failing'),
  directive('5.2.1.3', 'fresh for long enough', 9, 'min-fresh=20', hit(9)),
  directive('5.2.1.3', 'not for long enough', 11, 'min-fresh=20', fetched(request)),
  directive('5.2.1.3', 'nothing ever is', 0.001, 'min-fresh=31', fetched(request)),
  directive('5.2.1.3', 'not even what is fetched', undefined, 'min-fresh=31', fetched(miss)),
  directive('5.2.1.2', 'fresh is all right', 9, 'max-stale=0', hit(9)),
  directive('5.2.1.2', 'not too stale', 45, 'max-stale=15', refreshed(45)),
  directive('5.2.1.2', 'too stale', 46, 'max-stale=15', fetched(stale)),
  directive('5.2.1.2', 'however stale', 4000, 'max-stale', refreshed(4000)),
  directive('5.2.1.2', 'but not beyond what is kept', 86_431, 'max-stale', fetched(stale)),
  directive('5.2.1.4', 'asks, however fresh', 1, 'no-cache', fetched(request)),
  directive('5.2.1.4', 'asks, not stored', undefined, 'no-cache', fetched(miss)),
  directive(
    '5.2.1.4',
    'gets what there is if it cannot be had',
    9,
    'no-cache',
    inSpiteOf(9),
    'failing'
  ),
  directive('5.2.1.7', 'fresh', 9, 'only-if-cached', hit(9)),
  directive('5.2.1.7', 'stale, and no call is made for it', 45, 'only-if-cached', hit(45)),
  directive('5.2.1.7', 'very stale', 4000, 'only-if-cached', hit(4000)),
  directive('5.2.1.7', 'not stored', undefined, 'only-if-cached', notCached),
  directive('5.2.1.7', 'expired', 86_431, 'only-if-cached', notCached)
]

const conflicting: readonly Case[] = [
  directive('5.2.1.7', 'not as wished', 11, 'only-if-cached, max-age=10', notCached),
  directive('5.2.1.7', 'as wished', 9, 'max-age=10, only-if-cached', hit(9)),
  directive('5.2.1.7', 'not without asking', 9, 'only-if-cached, no-cache', notCached),
  directive('5.2.1.7', 'not fresh enough', 11, 'only-if-cached, min-fresh=20', notCached),
  directive('5.2.1', 'the stricter counts', 40, 'max-age=5, max-stale=100', fetched(stale)),
  directive('5.2.1', 'the stricter counts', 9, 'max-age=10, no-cache', fetched(request)),
  directive('5.2.1', 'the stricter counts', 11, 'max-age=100, min-fresh=20', fetched(request)),
  directive('5.2.1', 'the first counts', 9, 'max-age=10, max-age=5', hit(9)),
  directive('5.2.1', 'the first counts', 9, 'max-age=5, max-age=10', fetched(request))
]

const odd: readonly Case[] = [
  directive('5.2', 'in any case', 11, 'MAX-AGE=10', fetched(request)),
  directive('5.2', 'quoted', 11, 'max-age="10"', fetched(request)),
  directive('5.2', 'among others', 11, 'a=b, "c", ,max-age=10 , no-transform', fetched(request)),
  directive('1.2.2', 'more than fits', 40, 'max-stale=99999999999999999999', refreshed(40)),
  directive('1.2.2', 'more than fits', 9, 'min-fresh=99999999999', fetched(request)),
  directive('1.2.2', 'more than fits', 9, 'max-age=99999999999', hit(9)),
  ...['max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=1e1', 'max-age=ten'].map(value =>
    directive('5.2', 'says nothing', 11, value, hit(11))
  ),
  ...['no-cach', 'x-no-cache', 'no_cache', ',,;=', '=', '"no-cache"', 'no-transform'].map(value =>
    directive('5.2.3', 'is not known', 11, value, hit(11))
  ),
  {
    section: 'RFC 9110 5.3',
    name: 'two fields of the name are one list',
    age: 11,
    headers: [...cacheControl('max-stale=5'), ...cacheControl('max-age=10')],
    wanted: fetched(request)
  },
  directive('5.2.1.5', 'what is stored already may be used', 9, 'no-store', hit(9)),
  {
    section: 'RFC 9111 5.4',
    name: 'Pragma is deprecated and says nothing',
    age: 9,
    headers: ['Pragma: no-cache'],
    wanted: hit(9)
  },
  {
    section: 'RFC 9111 5.2.1',
    name: 'If-None-Match and a wish go together',
    age: 11,
    headers: [...cacheControl('max-age=10'), ...ifNoneMatch('<tag>')],
    wanted: { ...fetched(request, 304), tag: 'same' }
  }
]

/** RFC 9110 section 9.3.2. */
const heads: readonly Case[] = [
  {
    section: 'RFC 9110 9.3.2',
    name: 'HEAD is a miss like GET',
    method: 'HEAD',
    wanted: fetched(miss)
  },
  { section: 'RFC 9110 9.3.2', name: 'and a hit', age: 9, method: 'HEAD', wanted: hit(9) },
  { section: 'RFC 9110 9.3.2', name: 'and stale', age: 45, method: 'HEAD', wanted: refreshed(45) }
]

export const cases: Readonly<Record<string, readonly Case[]>> = {
  lifetimes,
  conditional,
  directives,
  conflicting,
  odd,
  heads
}
