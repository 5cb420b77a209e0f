/* What can be asked of templates. */
#include "room.h"

OP_HANDLER(cloudformation, GetTemplate, GetTemplateInput, GetTemplateOutput)
{
    struct place p;
    struct jv *stack;
    struct str text;
    if (in->ChangeSetName.n > 0) {
        struct jv *set;
        TRY(change_set_need(c, in->ChangeSetName, in->StackName, &p, &stack, &set));
        text = jv_s(jv_get(set, "text"));
    } else {
        TRY(stack_need(c, in->StackName, &p, &stack));
        TRY(template_text_get(c->txn, c->arena, &p, "current", &text));
    }
    if (text.p == NULL)
        return template_error("Stack [%.*s] has no template.",
                              STR_ARG(jv_s(jv_get(stack, "name"))));
    out->TemplateBody = text;
    out->StagesAvailable.v = ARENA_ARRAY(c->arena, 2, struct str);
    out->StagesAvailable.v[0] = STR("Original");
    out->StagesAvailable.v[1] = STR("Processed");
    out->StagesAvailable.n = 2;
    out->StagesAvailable.set = true;
    return NULL;
}

static void capabilities_of(struct call *c, const struct template *t,
                            struct cloudformation_Capabilities *caps, struct str *reason)
{
    int need = needed_capability(t, c->arena, reason);
    caps->v = ARENA_NEW(c->arena, struct str);
    caps->set = need > 0;
    if (need > 0)
        caps->v[caps->n++] = need == 1 ? STR("CAPABILITY_IAM") : STR("CAPABILITY_NAMED_IAM");
}

OP_HANDLER(cloudformation, ValidateTemplate, ValidateTemplateInput, ValidateTemplateOutput)
{
    struct str text;
    struct template t;
    TRY(request_template(c, in->TemplateBody, in->TemplateURL, &text));
    if (text.n == 0)
        return template_error("Either Template URL or Template Body must be specified.");
    TRY(template_parse(c->arena, text, &t));
    TRY(check_types(c, &t));
    size_t n = jv_len(t.parameters);
    out->Parameters.v = ARENA_ARRAY(c->arena, n + 1, struct cloudformation_TemplateParameter);
    out->Parameters.set = true;
    for (size_t i = 0; i < n; i++) {
        struct cloudformation_TemplateParameter *p = &out->Parameters.v[out->Parameters.n++];
        const struct jv *def = &t.parameters->obj.v[i].value;
        p->ParameterKey = t.parameters->obj.v[i].key;
        p->DefaultValue = template_scalar(c->arena, jv_get(def, "Default"));
        p->NoEcho = some_bool(template_no_echo(&t, p->ParameterKey));
        p->Description = jv_s(jv_get(def, "Description"));
    }
    out->Description = t.description;
    capabilities_of(c, &t, &out->Capabilities, &out->CapabilitiesReason);
    return NULL;
}

static void summary_params(struct call *c, const struct template *t,
                           struct cloudformation_GetTemplateSummaryOutput *out)
{
    size_t n = jv_len(t->parameters);
    out->Parameters.v = ARENA_ARRAY(c->arena, n + 1, struct cloudformation_ParameterDeclaration);
    out->Parameters.set = true;
    for (size_t i = 0; i < n; i++) {
        struct cloudformation_ParameterDeclaration *p = &out->Parameters.v[out->Parameters.n++];
        const struct jv *def = &t->parameters->obj.v[i].value;
        const struct jv *allowed = jv_get(def, "AllowedValues");
        p->ParameterKey = t->parameters->obj.v[i].key;
        p->DefaultValue = template_scalar(c->arena, jv_get(def, "Default"));
        p->ParameterType = jv_s(jv_get(def, "Type"));
        p->NoEcho = some_bool(template_no_echo(t, p->ParameterKey));
        p->Description = jv_s(jv_get(def, "Description"));
        p->ParameterConstraints = ARENA_NEW(c->arena, struct cloudformation_ParameterConstraints);
        struct cloudformation_AllowedValues *v = &p->ParameterConstraints->AllowedValues;
        v->v = ARENA_ARRAY(c->arena, jv_len(allowed) + 1, struct str);
        v->set = jv_len(allowed) > 0;
        for (size_t k = 0; jv_is(allowed, JV_ARR) && k < jv_len(allowed); k++)
            v->v[v->n++] = template_scalar(c->arena, jv_at(allowed, k));
    }
}

OP_HANDLER(cloudformation, GetTemplateSummary, GetTemplateSummaryInput, GetTemplateSummaryOutput)
{
    struct str text;
    struct template t;
    if (in->StackSetName.n > 0)
        return err_not_implemented(c, "Stack sets");
    TRY(request_template(c, in->TemplateBody, in->TemplateURL, &text));
    if (in->StackName.n > 0) {
        struct place p;
        struct jv *stack;
        if (text.p != NULL)
            return template_error("Specify one of StackName, TemplateBody and TemplateURL.");
        TRY(stack_need(c, in->StackName, &p, &stack));
        TRY(template_text_get(c->txn, c->arena, &p, "current", &text));
    }
    if (text.n == 0)
        return template_error("Either Template URL or Template Body must be specified.");
    TRY(template_parse(c->arena, text, &t));
    summary_params(c, &t, out);
    out->Description = t.description;
    capabilities_of(c, &t, &out->Capabilities, &out->CapabilitiesReason);
    out->Version = jv_s(jv_get(t.root, "AWSTemplateFormatVersion"));
    const struct jv *metadata = jv_get(t.root, "Metadata");
    out->Metadata = metadata != NULL ? jv_text(c->arena, metadata) : STR_NONE;
    out->ResourceTypes.v = ARENA_ARRAY(c->arena, jv_len(t.resources) + 1, struct str);
    out->ResourceTypes.set = true;
    for (size_t i = 0; i < jv_len(t.resources); i++) {
        struct str type = jv_s(jv_get(&t.resources->obj.v[i].value, "Type"));
        bool known = false;
        for (size_t k = 0; k < out->ResourceTypes.n; k++)
            known = known || str_eq(out->ResourceTypes.v[k], type);
        if (!known)
            out->ResourceTypes.v[out->ResourceTypes.n++] = type;
    }
    return NULL;
}
