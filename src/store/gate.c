/* Gates: see store.h. */
#include "store.h"

#include "../crypto/crypto.h"

#define T_GATE "gate"

static struct skey stripe_key(struct str gate, uint32_t stripe)
{
    struct skey k = skey();
    key_str(&k, gate);
    key_u32(&k, stripe);
    return k;
}

struct err *txn_gate_pass(struct txn *t, struct arena *a, struct str gate)
{
    struct str value;
    struct skey k = stripe_key(gate, (uint32_t)(rand_u64() % GATE_STRIPES));
    return txn_get(t, T_GATE, key_of(&k), a, &value);
}

struct err *txn_gate_shut(struct txn *t, struct str owner, struct str gate)
{
    for (uint32_t i = 0; i < GATE_STRIPES; i++) {
        struct skey k = stripe_key(gate, i);
        TRY(txn_put(t, T_GATE, owner, key_of(&k), STR("")));
    }
    return NULL;
}
