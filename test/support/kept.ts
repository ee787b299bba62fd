/** Whether the bytes are, or are a part of, something that was kept: only that lies in such memory. */
export function isKept({ buffer }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.resizable
}
