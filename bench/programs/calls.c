// Calls virDomainGetInfo for each running domain once per period, and does nothing else.
// Arguments: the URI, and the period in ms. Prints the number of domains.
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const long period = atol(argv[2]);
  virConnectPtr connection = virConnectOpenReadOnly(argv[1]);
  virDomainPtr *domains = NULL;
  const int count =
      connection == NULL ? -1 : virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (count < 0) return 1;
  printf("%d\n", count);
  fflush(stdout);
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    for (int at = 0; at < count; at += 1) {
      virDomainInfo info;
      if (virDomainGetInfo(domains[at], &info) != 0) return 1;
    }
    next.tv_sec += period / 1000;
    next.tv_nsec += period % 1000 * 1000000;
    if (next.tv_nsec >= 1000000000) {
      next.tv_nsec -= 1000000000;
      next.tv_sec += 1;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}
