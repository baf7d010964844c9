import { BlockList, isIPv4 } from "node:net";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isPublicAddress } from "./public-address.ts";

it.each([
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::ffff:a9fe:a9fe",
  "64:ff9b::10.0.0.1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::1",
  "2002:a9fe:a9fe::",
  "127.1",
  "0177.0.0.1",
  "0x7f.0.0.1",
  "2130706433",
  "8.8.8.8:443",
  "8.8.8.256",
  "2606:4700::1::1",
  "2606:4700:1",
  "localhost",
  "",
])("%s is not public", (address) => expect(isPublicAddress(address)).toBe(false));

it.each([
  "1.1.1.1",
  "8.8.8.8",
  "172.15.255.255",
  "172.32.0.1",
  "100.128.0.1",
  "2606:4700::6810:84e5",
  "2a00:1450::1",
])("%s is public", (address) => expect(isPublicAddress(address)).toBe(true));

it("agrees with Node's own lists of ranges on every address", () => {
  // Two lists: one would take an IPv4 address for the IPv6 one that it can be written as.
  const listOf = (type: "ipv4" | "ipv6", ranges: string[]) => {
    const list = new BlockList();
    for (const range of ranges) {
      const [net = "", length] = range.split("/");
      list.addSubnet(net, Number(length), type);
    }
    return (address: string) => list.check(address, type);
  };
  const specialV4 = listOf("ipv4", [
    ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"],
    ...["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"],
    ...["198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
  ]);
  const specialV6 = listOf("ipv6", [
    ...["::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"],
  ]);
  const byte = fc.nat(255);
  const nearV4 = fc
    .tuple(
      fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224),
      fc.constantFrom(0, 2, 15, 16, 18, 31, 32, 51, 63, 64, 88, 127, 128, 168, 254),
      fc.oneof(fc.constantFrom(0, 2, 99, 100, 113), byte),
      byte,
    )
    .map((parts) => parts.join("."));
  const nearV6 = fc
    .tuple(
      fc.constantFrom("2001", "2002", "3fff", "2606", "fe80", "0", "1fff", "4000"),
      fc.constantFrom("0", "db8", "db9", "1ff", "200", "fff", "1000"),
      fc.nat(65_535),
    )
    .map(([first, second, last]) => `${first}:${second}::${last.toString(16)}`);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), nearV4, nearV6), (address) => {
      expect(isPublicAddress(address)).toBe(!(isIPv4(address) ? specialV4 : specialV6)(address));
    }),
    { numRuns: 2_000 },
  );
});
