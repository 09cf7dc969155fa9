{{ config(unique_key='h_account_hk', natural_key='account_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'bank_accounts_changes'), 'column': 'id'}
    ],
    hash_key='h_account_hk',
    business_key='account_id'
) }}
