{# A model's schema is its layer, whatever the target's default is: `raw_vault.h_users` in every profile. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
