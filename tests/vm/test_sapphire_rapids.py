# SPDX-License-Identifier: MIT
"""Sapphire Rapids: the unit of psys is a joule."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(cpu="Skylake-Server,model=143", seconds=800,
                        settings=["rapl_registers.domains=package,dram,psys",
                                  # one joule is 0.04 % of its energy in 6 s
                                  "rapl_registers.psys_mw=400000"])

SERIES = {"domain=psys", "domain=psys,package_id=1",
          *("domain=%s,package_id=%d" % (domain, package)
            for domain in ("package", "dram") for package in (0, 1))}

HALF_SECOND = 0.5
PSYS_WATTS = 90


class SapphireRapids(sources.TwoPackages):
    SERIES = {source: SERIES for source in ("powercap", "perf", "msr")}

    def test_psys_in_whole_joules(self):
        self.assertEqual("4294967295000000", kernel.read(
            "%s/intel-rapl:1/max_energy_range_uj" % kernel.POWERCAP))
        with execd.Execd() as program:
            joules = [program.ask()["domain=psys"]["energy_joules"] for _ in range(4)]
        self.assertEqual([round(number) for number in joules], joules)

    def test_power_of_psys_waits_for_half_a_second(self):
        kernel.load_registers(psys_mw=1000 * PSYS_WATTS)
        self.addCleanup(kernel.load_registers)
        for _ in range(sources.TRIES):
            powers = self.known_powers()
            # A joule of rounding at either end of at least half a second.
            off = [(abs(power - PSYS_WATTS) - 4.1, late) for power, late in powers]
            for too_far, late in off:
                self.assertLessEqual(too_far, PSYS_WATTS * late, powers)
            if all(too_far <= 0 for too_far, _ in off):
                return
        self.fail(powers)

    def known_powers(self):
        """[(power, share of its span by which its reads may have been late)]. Each comes half a
        second after the one before, and no later than the next report."""
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            watch.ask_for(3, every=0.1, least=8)
        powers = []
        last = watch.asked[0]
        for before, after, report in watch.asked[1:]:
            power = report.power("domain=psys")
            if power is None:
                self.assertLess(before - last[1], HALF_SECOND)
            else:
                self.assertGreater(after - last[0], HALF_SECOND)
                late = after - before + last[1] - last[0] + watch.UPDATE_SECONDS
                powers.append((power, late / max(HALF_SECOND, before - last[1])))
                last = before, after
        self.assertGreater(len(powers), 2)
        return powers


if __name__ == "__main__":
    guest.main(MACHINE)
