#include "parser.h"

int main(void)
{
    static struct parser parser;
    return lambda_run(parser_init, parser_handle, &parser);
}
