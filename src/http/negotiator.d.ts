/** The part of negotiator that is used here; the published types know no `preferred`. */
declare module 'negotiator' {
  export class Negotiator {
    constructor(request: { readonly headers: Readonly<Record<string, string>> })
    /** Those of `available` that are accepted, best first; `preferred` breaks ties. */
    encodings<Name extends string>(
      available: readonly Name[],
      options: { readonly preferred: readonly Name[] }
    ): Name[]
    mediaTypes<Name extends string>(available: readonly Name[]): Name[]
  }
}
