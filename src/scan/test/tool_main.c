/* The commands by themselves, for tests and for the bench: scan_tool scan|rules|verify … */
#include "scan/scan.h"

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "scan") == 0)
        return scan_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "rules") == 0)
        return rules_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "verify") == 0)
        return verify_main(argc - 1, argv + 1);
    fputs("usage: scan_tool scan|rules|verify ...\n", stderr);
    return 2;
}
