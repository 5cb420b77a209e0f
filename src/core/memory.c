#include "memory.h"

#include "err.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that cannot be written hold what the file holds, so dropping them loses nothing. */
static int drop_segments(struct dl_phdr_info *info, size_t size UNUSED, void *arg UNUSED)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || (p->p_flags & PF_W) != 0)
            continue;
        uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
        uintptr_t to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void memory_give_back(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(drop_segments, NULL);
}
